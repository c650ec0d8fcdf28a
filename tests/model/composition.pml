/* composition.pml -- authority and grants in one small model: who may issue, and what is issued.
 *
 * Claims: the sum of what the cars may draw is within the limit, and never two candidates have authority.
 *
 * NV units, which are also the voters, and two candidates. A candidate asks; a voter that is free promises itself for P
 * ticks; the candidate counts the promise from the sending of what it answers. With more than half of the weight it has
 * authority: a term never used before, a ledger that waits out all earlier leases, and only reports that echo this
 * authority teach it anything. Messages are lost, delayed and overtaken; units and candidates restart without memory.
 * Clocks are exact here: authority.pml and grant.pml have the drift.
 *
 * An ask that claims no authority is answered whatever the fence, and moves no fence: that allows more than the protocol.
 *
 * Scope      -DNV=2|3 (two: the first weighs 2), fall-back F, limit L, P promise, TU raise lease, D lag, TC cap lease;
 *            TERMS=2|3|4 terms: 1 and 3 are the first candidate's, 2 and 4 the second's, each used once, in any order
 *            SYM keeps one of the states that differ only in the order of the voters (NV=3)
 * Additions  -DRELEASE  a leader may hand over: it gives up, and tells the voters that they are free
 *            -DCLIMB    a leader may go on under a higher term, authority and ledger unbroken
 * Mistakes   -DBUG=k
 *            1 ledger kept over a regained majority       8 the fence moves only with a grant, not with the report
 *            2 a new authority waits for nothing          9 grants pass the fence
 *            3 promise counted from receipt               10 a regained majority keeps its term
 *            4 restarted voter votes at once              11 RELEASE: answers to older asks still count
 *            5 grants decided without authority           12 RELEASE: an old release is obeyed after a newer promise
 *            6 reports from before the authority count    13 half of the weight is enough
 *            7 a gap in authority goes unnoticed when the event that would show it also closes it
 *            14 CLIMB: reports to the lower term still count, and the grant that was outstanding under it does not
 * Reachable  -DGOAL=k: 1 one car has the whole breaker under term 3 after term 2, 2 under term 2 after 1
 */
#ifndef NV
#define NV 2
#endif
#ifndef F
#define F 0
#endif
#ifndef L
#if F>0
#define L (NV*F)
#else
#define L 1
#endif
#endif
#ifndef P
#define P 2
#endif
#ifndef TU
#define TU 1
#endif
#ifndef D
#define D 1
#endif
#define WL (TU+D)
#ifndef TC
#define TC (WL+1)
#endif
#define TCOLD TC
#ifndef BUG
#define BUG 0
#endif
#ifndef TERMS
#define TERMS 4
#endif
#ifndef GOAL
#define GOAL 0
#endif
#if NV==2
#define W(v) ((v)==0 -> 2 : 1)
#else
#define W(v) 1
#endif
#if BUG==13
#define NEED 1
#else
#define NEED 2                  /* of 3 */
#endif
#ifdef TRACE
#define LOG0(t) printf(t)
#define LOG1(t,i) printf(t,i)
#define LOG2(t,i,y) printf(t,i,y)
#define LOG3(t,i,y,z) printf(t,i,y,z)
#define SHOW printf("        draw<=%d,%d(,%d) authority=%d,%d terms=%d,%d fences=%d,%d(,%d)\n",REAL(0),REAL(1),(NV>2 -> REAL(NV-1) : 0),au[0],au[1],tm[0],tm[1],fe[0],fe[1],(NV>2 -> fe[NV-1] : 0))
#else
#define LOG0(t) skip
#define LOG1(t,i) skip
#define LOG2(t,i,y) skip
#define LOG3(t,i,y,z) skip
#define SHOW skip
#endif

/* ---- the units ---- */
byte pt[NV]; bit pc[NV]; bit pu[NV];            /* promise: ticks left, to whom, to nobody (after a start) */
byte fe[NV];                                    /* fence: the highest term that was claimed here */
byte a[NV]; byte rem[NV]; byte q[NV]; byte d[NV]; bit cr[NV];   /* as in grant.pml */
#define REAL(v) (a[v]>q[v] -> a[v] : q[v])
/* ---- the candidates; X(c,v) is what candidate c has about unit v ---- */
#define X(c,v) ((c)*NV+(v))
bit au[2]; byte tm[2];                          /* claims authority, its term */
byte vt[2*NV];                                  /* ticks for which it still counts the promise */
byte H[2*NV]; byte T[2*NV];                     /* ledger */
bit ad[2*NV];                                   /* it issued a grant that the unit has not applied */
/* ---- messages ---- */
bit rv[2*NV]; byte rg[2*NV]; bit ry[2*NV];      /* report: age of what it echoes, a promise */
bit rq[2*NV]; byte re[2*NV]; byte rr[2*NV]; bit ra[2*NV]; bit rs[2*NV];        /* echoes this authority: e, cap left, ... */
bit gv[2*NV]; byte gg[2*NV]; byte ga[2*NV]; byte gt[2*NV];      /* grant: age of the report, amps, term */
#ifdef RELEASE
bit fl[2*NV];
#endif
byte used;                                      /* terms taken, one bit each */
byte k, j, h2, t2, sum, c2, okk, yes;            /* scratch, zero between steps */

#define HAS(c,v) (vt[X(c,v)]>0 -> W(v) : 0)
#if NV==2
#define WEIGHT(c) (HAS(c,0)+HAS(c,1))
#else
#define WEIGHT(c) (HAS(c,0)+HAS(c,1)+HAS(c,2))
#endif
#define AUTH(c) (WEIGHT(c)>=NEED)

#ifdef SYM
#if NV!=3 || L>3 || TU>2 || P>3 || defined(RELEASE)
#error "SYM knows three voters of one weight, small numbers, and no RELEASE"
#endif
/* Of the states that differ only in the order of the voters, one is kept: the voters are sorted after each step. */
int w1, w2;                                     /* scratch, zero between steps */
#define KEYU(v) (pt[v]|(pc[v]<<2)|(pu[v]<<3)|(fe[v]<<4)|(a[v]<<7)|(rem[v]<<9)|(q[v]<<12)|(d[v]<<14)|(cr[v]<<15))
#define KEYM(z) (vt[z]|(H[z]<<2)|(T[z]<<4)|(ad[z]<<7)|(rv[z]<<8)|(rg[z]<<9)|(ry[z]<<11)|(rq[z]<<12)|(re[z]<<13)|(rr[z]<<15)|(ra[z]<<18)|(rs[z]<<19)|(gv[z]<<20)|(gg[z]<<21)|(ga[z]<<23)|(gt[z]<<25))
#define SW1(u,w,y) w1=y[u]; y[u]=y[w]; y[w]=w1
inline swapM(u,w) {
  SW1(u,w,vt); SW1(u,w,H); SW1(u,w,T); SW1(u,w,ad);
  if :: rv[u] || rv[w] ->
        SW1(u,w,rv); SW1(u,w,rg); SW1(u,w,ry); SW1(u,w,rq); SW1(u,w,re); SW1(u,w,rr); SW1(u,w,ra); SW1(u,w,rs)
     :: else fi;
  if :: gv[u] || gv[w] -> SW1(u,w,gv); SW1(u,w,gg); SW1(u,w,ga); SW1(u,w,gt)
     :: else fi
}
inline swap(u,w) {
  SW1(u,w,pt); SW1(u,w,pc); SW1(u,w,pu); SW1(u,w,fe); SW1(u,w,a); SW1(u,w,rem); SW1(u,w,q); SW1(u,w,d); SW1(u,w,cr);
  swapM(X(0,u),X(0,w)); swapM(X(1,u),X(1,w))
}
inline order(u,w) {
  w1=KEYU(u); w2=KEYU(w);
  if :: w1==w2 -> w1=KEYM(X(0,u)); w2=KEYM(X(0,w)) :: else fi;
  if :: w1==w2 -> w1=KEYM(X(1,u)); w2=KEYM(X(1,w)) :: else fi;
  if :: w1>w2 -> swap(u,w) :: else fi
}
#define CANON order(0,1); order(1,2); order(0,1); w1=0; w2=0
#else
#define CANON skip
#endif

inline check() {
  SHOW;
  sum=0; k=0;
  do :: k<NV -> sum=sum+REAL(k); k++ :: else -> break od;
  k=0;
#if GOAL==0
  assert(sum<=L);
  assert(!(AUTH(0) && AUTH(1)));
#endif
  sum=0
}
inline clrG(z) { gv[z]=0; gg[z]=0; ga[z]=0; gt[z]=0 }
inline clrR(z) { rv[z]=0; rg[z]=0; ry[z]=0; rq[z]=0; re[z]=0; rr[z]=0; ra[z]=0; rs[z]=0 }
inline clrQ(z) { rq[z]=0; re[z]=0; rr[z]=0; ra[z]=0; rs[z]=0; if :: rv[z] && ry[z]==0 -> clrR(z) :: else fi }

/* ---- authority ends ---- */
inline lose(c) {
  LOG1("%d has lost authority\n",c);
  au[c]=0; j=0;
#if BUG!=1 && BUG!=10
  tm[c]=0;
#endif
  do :: j<NV ->
        ad[X(c,j)]=0;
#if BUG!=1
        H[X(c,j)]=F; T[X(c,j)]=0;
#endif
#if BUG==6
        ra[X(c,j)]=0;                           /* no grant of the next authority is outstanding */
#elif BUG!=10
        clrQ(X(c,j));
#endif
        j++
     :: else -> break od;
  j=0
}
#if BUG==5 || BUG==7
#define ENDS(c) (0)
#else
#define ENDS(c) (au[c] && !AUTH(c))
#endif
#if BUG==7
#define DECIDES(c) (au[c] && AUTH(c))
#else
#define DECIDES(c) (au[c])
#endif

inline tick() {
  LOG0("tick\n");
  k=0;
  do
  :: k<NV ->
     if :: pt[k]>0 -> pt[k]--; if :: pt[k]==0 -> pu[k]=0; pc[k]=0 :: else fi :: else fi;
     if :: d[k]>0 -> d[k]--; if :: d[k]==0 -> q[k]=0; cr[k]=0 :: else fi :: else fi;
     if :: rem[k]>0 -> rem[k]--;
           if :: rem[k]==0 -> if :: a[k]>F -> q[k]=REAL(k); d[k]=D :: else fi; a[k]=F
              :: else fi
        :: else fi;
     k++
  :: else -> break od;
  k=0;
  do
  :: k<2*NV ->
     if :: vt[k]>0 -> vt[k]-- :: else fi;
     if :: T[k]>0 -> T[k]--; if :: T[k]==0 -> H[k]=F :: else fi :: else fi;
     if :: rv[k] -> rg[k]++; if :: rg[k]>=P -> clrR(k) :: else fi :: else fi;
     if :: gv[k] -> gg[k]++; if :: gg[k]>=TU -> clrG(k) :: else fi :: else fi;
     k++
  :: else -> break od;
  if :: ENDS(0) -> lose(0) :: else fi;
  if :: ENDS(1) -> lose(1) :: else fi;
  k=0; check()
}

/* ---- a unit hears a candidate and answers ---- */
#define FREE(c,v) (pt[v]==0 || (pu[v]==0 && pc[v]==c))
#define MAYASK(c,v) (cr[v]==0 && (au[c] -> tm[c]>=fe[v] : FREE(c,v)))
inline dead(c,v) { if :: gv[X(c,v)] && gt[X(c,v)]<fe[v] -> clrG(X(c,v)) :: else fi }
inline fence(v,t) {
  fe[v]=t;
#if BUG!=9
  dead(0,v); dead(1,v)
#endif
}
inline ask(c,v) {
  LOG3("%d hears %d, which claims authority: %d\n",v,c,au[c]);
  yes=FREE(c,v);
  if :: yes -> pt[v]=P; pc[v]=c; pu[v]=0 :: else fi;
  clrR(X(c,v));
#ifdef RELEASE
#if BUG!=12
  fl[X(c,v)]=0;                                 /* older than what was just heard: dropped when it comes */
#endif
#endif
  rv[X(c,v)]=1; ry[X(c,v)]=yes;
  if :: au[c] ->
#if BUG!=8
        if :: fe[v]<tm[c] -> fence(v,tm[c]) :: else fi;
#endif
        rq[X(c,v)]=1; re[X(c,v)]=REAL(v); rr[X(c,v)]=(a[v]<F -> rem[v] : 0); ra[X(c,v)]=ad[X(c,v)]
     :: else ->
#if BUG==6
        rq[X(c,v)]=1; re[X(c,v)]=REAL(v); rr[X(c,v)]=(a[v]<F -> rem[v] : 0)
#else
        skip
#endif
  fi;
  yes=0; check()
}

/* ---- the candidate reads the answer ---- */
#if BUG==3
#define COUNTED(c,v) P
#else
#define COUNTED(c,v) (P-rg[X(c,v)])
#endif
#define GAINS(c,v) (ry[X(c,v)] && au[c]==0 && (vt[X(c,v)]>0 -> 0 : W(v))+WEIGHT(c)>=NEED)
inline count(c,v) {
  LOG2("%d reads the answer of %d\n",c,v);
  if :: ry[X(c,v)] && COUNTED(c,v)>vt[X(c,v)] -> vt[X(c,v)]=COUNTED(c,v) :: else fi
}
inline gain(c,t) {
  LOG2("%d has authority, term %d\n",c,t);
  au[c]=1;
#if BUG==10
  if :: tm[c]==0 -> tm[c]=t; used=used|(1<<t) :: else fi;
#elif BUG==1
  h2=tm[c]; tm[c]=t; used=used|(1<<t);
#else
  tm[c]=t; used=used|(1<<t);
#endif
  j=0;
  do :: j<NV ->
#if BUG==1
        if :: h2==0 -> H[X(c,j)]=L; T[X(c,j)]=WL :: else fi;
#elif BUG==2
        H[X(c,j)]=F; T[X(c,j)]=0;
#else
        H[X(c,j)]=L; T[X(c,j)]=WL;
#endif
        j++
     :: else -> break od;
  j=0; h2=0
}
inline learn(c,v) {
  if :: ra[X(c,v)]==0 ->
        if :: re[X(c,v)]>F -> H[X(c,v)]=re[X(c,v)]; if :: T[X(c,v)]==0 -> T[X(c,v)]=WL :: else fi
           :: re[X(c,v)]==F -> H[X(c,v)]=F; T[X(c,v)]=0
           :: else ->
              t2=(rr[X(c,v)]>rg[X(c,v)] -> rr[X(c,v)]-rg[X(c,v)] : 0);
              if :: H[X(c,v)]>=F || t2>T[X(c,v)] -> H[X(c,v)]=re[X(c,v)]; T[X(c,v)]=t2 :: else fi;
              t2=0;
              if :: T[X(c,v)]==0 -> H[X(c,v)]=F :: else fi
        fi
     :: else fi
}
inline fits(c) {
  okk=1; j=0;
  do
  :: j<=NV ->
     t2=0;
     if :: j<NV -> t2=T[X(c,j)] :: else fi;
     sum=0; k=0;
     do :: k<NV -> sum=sum+(T[X(c,k)]>t2 -> H[X(c,k)] : F); k++ :: else -> break od;
     if :: sum>L -> okk=0 :: else fi;
     j++
  :: else -> break od;
  j=0; k=0; t2=0; sum=0
}
inline issue(c,v,x1) {
  LOG3("%d would grant %d: %d A\n",c,v,x1);
  h2=H[X(c,v)]; c2=T[X(c,v)];
  if :: x1>H[X(c,v)] -> H[X(c,v)]=x1 :: else fi;
  if :: x1>F -> T[X(c,v)]=WL
     :: H[X(c,v)]==F -> T[X(c,v)]=0
     :: H[X(c,v)]<F && T[X(c,v)]>TC-rg[X(c,v)] -> T[X(c,v)]=TC-rg[X(c,v)]
     :: else fi;
  fits(c);
  if :: x1==0 || okk ->
        if :: rs[X(c,v)]==0 && rg[X(c,v)]<TU -> /* to another boot, or too old: refused anyway */
              ad[X(c,v)]=1; gv[X(c,v)]=1; gg[X(c,v)]=rg[X(c,v)]; ga[X(c,v)]=x1; gt[X(c,v)]=tm[c]
           :: else fi
     :: else -> H[X(c,v)]=h2; T[X(c,v)]=c2
  fi;
  h2=0; c2=0; okk=0
}

/* ---- a unit accepts a grant ---- */
#if BUG==9
#define CANACC(c,v) (gv[X(c,v)] && gg[X(c,v)]<TU)
#else
#define CANACC(c,v) (gv[X(c,v)] && gg[X(c,v)]<TU && gt[X(c,v)]>=fe[v])
#endif
inline accept(c,v) {
  LOG3("%d accepts %d A from %d\n",v,ga[X(c,v)],c);
  if :: ga[X(c,v)]<a[v] -> q[v]=REAL(v); d[v]=D :: else fi;
  a[v]=ga[X(c,v)];
  if :: a[v]>F -> rem[v]=TU-gg[X(c,v)]
     :: a[v]<F -> rem[v]=TC-gg[X(c,v)]
     :: else -> rem[v]=0 fi;
  if :: au[c] && gt[X(c,v)]==tm[c] -> ad[X(c,v)]=0 :: else fi;
  if :: fe[v]<gt[X(c,v)] -> fence(v,gt[X(c,v)]) :: else fi;
  clrG(X(c,v)); check()
}

/* ---- restarts without memory ---- */
inline reboot(c,v) { ad[X(c,v)]=0; clrG(X(c,v)); if :: rq[X(c,v)] -> rs[X(c,v)]=1 :: else fi }
inline crash(v) {
  LOG1("unit %d restarts without memory\n",v);
  q[v]=REAL(v); d[v]=(q[v]>0 -> D : 0); cr[v]=(q[v]>0 -> 1 : 0);
  a[v]=0; rem[v]=(F>0 -> TCOLD : 0); fe[v]=0;
#if BUG==4
  pt[v]=0; pc[v]=0; pu[v]=0;
#else
  pt[v]=P; pc[v]=0; pu[v]=1;
#endif
  reboot(0,v); reboot(1,v);
  check()
}
inline forget(c) {
  LOG1("candidate %d restarts or gives up\n",c);
  if :: au[c] -> lose(c) :: else fi;
  j=0;
  do :: j<NV -> vt[X(c,j)]=0; clrR(X(c,j)); H[X(c,j)]=F; T[X(c,j)]=0; j++ :: else -> break od;
  j=0; tm[c]=0
}
#ifdef CLIMB
inline climb(c,t) {
  LOG2("%d goes on under term %d\n",c,t);
  tm[c]=t; used=used|(1<<t); j=0;
  do :: j<NV ->
        ad[X(c,j)]=0;                           /* numbers start again: nothing of this term is outstanding */
#if BUG==14
        ra[X(c,j)]=0;
#else
        clrQ(X(c,j));
#endif
        j++
     :: else -> break od;
  j=0
}
#endif
#ifdef RELEASE
inline release(c) {
  LOG1("candidate %d hands over\n",c);
  lose(c); j=0;
  do :: j<NV ->
        vt[X(c,j)]=0; fl[X(c,j)]=1;
#if BUG!=11
        clrR(X(c,j));
#endif
        j++
     :: else -> break od;
  j=0
}
inline freed(c,v) {
  LOG2("%d hears that %d hands over\n",v,c);
  if :: pu[v]==0 && pt[v]>0 && pc[v]==c -> pt[v]=0; pc[v]=0 :: else fi;
  fl[X(c,v)]=0
}
#endif

/* ---- everything that can happen ---- */
#define A_ASK(c,v)   :: d_step { MAYASK(c,v) -> ask(c,v); CANON }
#define A_GOT(c,v)   :: d_step { (rv[X(c,v)] && !GAINS(c,v)) -> count(c,v); if :: DECIDES(c) && rq[X(c,v)] -> learn(c,v) :: else fi; clrR(X(c,v)); check(); CANON }
#define A_GAIN(c,v,t) :: d_step { (rv[X(c,v)] && GAINS(c,v) && ((used>>t)&1)==0) -> count(c,v); gain(c,t); clrR(X(c,v)); check(); CANON }
#if TERMS==2
#define A_GAINS(c,v) A_GAIN(c,v,1+c)
#elif TERMS==3
#define A_GAINS(c,v) A_GAIN(c,v,1+c) A_GAIN(c,v,(c==0 -> 3 : 2))
#else
#define A_GAINS(c,v) A_GAIN(c,v,1+c) A_GAIN(c,v,3+c)
#endif
#define A_GRANT(c,v,x1) :: d_step { (rv[X(c,v)] && rq[X(c,v)] && au[c]) -> count(c,v); \
   if :: DECIDES(c) -> learn(c,v); issue(c,v,x1) :: else fi; clrR(X(c,v)); check(); CANON }
#if F>0
#define A_GRANTS(c,v) A_GRANT(c,v,0) A_GRANT(c,v,F) A_GRANT(c,v,L)
#else
#define A_GRANTS(c,v) A_GRANT(c,v,0) A_GRANT(c,v,L)
#endif
#define A_ACC(c,v)   :: d_step { CANACC(c,v) -> accept(c,v); CANON }
#define A_CRA(v)     :: d_step { 1 -> crash(v); CANON }
#define A_FOR(c)     :: d_step { 1 -> forget(c); CANON }
#ifdef RELEASE
#define A_REL(c)     :: d_step { au[c] -> release(c); CANON }
#define A_FRE(c,v)   :: d_step { fl[X(c,v)] -> freed(c,v); CANON }
#else
#define A_REL(c)
#define A_FRE(c,v)
#endif
#ifdef CLIMB
#define A_CLIMB(c,t) :: d_step { (DECIDES(c) && tm[c]<t && ((used>>t)&1)==0) -> climb(c,t); CANON }
#else
#define A_CLIMB(c,t)
#endif
#define PAIR(c,v)    A_ASK(c,v) A_GOT(c,v) A_GAINS(c,v) A_GRANTS(c,v) A_ACC(c,v) A_FRE(c,v)
#define UNIT(v)      PAIR(0,v) PAIR(1,v) A_CRA(v)

active proctype all() {
  d_step {
    k=0;
    do :: k<NV -> rem[k]=(F>0 -> TCOLD : 0); pt[k]=P; pu[k]=1; H[k]=F; H[NV+k]=F; k++ :: else -> break od;
    k=0
  }
end: do
  :: d_step { 1 -> tick(); CANON }
  UNIT(0) UNIT(1)
#if NV>=3
  UNIT(2)
#endif
  A_FOR(0) A_FOR(1) A_REL(0) A_REL(1) A_CLIMB(0,3)
#if GOAL==1
  :: d_step { 1 -> assert(!(a[0]==L && L>F && au[0] && tm[0]==3 && fe[0]==3 && ((used>>2)&1))) }
#elif GOAL==2
  :: d_step { 1 -> assert(!(a[NV-1]==L && L>F && au[1] && tm[1]==2 && fe[NV-1]==2 && ((used>>1)&1))) }
#endif
  od
}
