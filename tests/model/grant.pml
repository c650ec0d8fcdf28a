/* grant.pml -- grants, raise and cap leases, the leader's ledger, the car's lag, restarts, changes of leader.
 *
 * Claim: at every instant the sum of what the cars may draw is within each breaker's limit.
 *
 * One leader at a time may issue; that is what authority.pml shows. Grants of earlier leaders stay in flight. The leader
 * chooses any amps whenever its rules allow it, so the claim holds for any allocation policy. A message may be lost,
 * delayed or overtaken; a unit may restart without memory at any time and may be silent for ever. Time is in ticks; a
 * unit's clock may be off by SL ticks over one lease.
 *
 * Scope      -DN=2|3 units, fall-back F each, limit L (default: the fall-backs fill the breaker), MAXSW changes of
 *            leader; TU raise lease, TC cap lease, D lag of the car, HB and FRESH oldest heartbeat a report may echo
 *            when it is made and when it is used; ONE_SLOT one grant in flight per unit instead of two; G0FL grants of
 *            0, F and L only; SYM keeps one of the states that differ only in the order of the units
 * Additions  -DPILOT  x <= min(ceiling reported, F) may be issued without the fit test
 *            -DTRIM   trims: the ceiling falls, the end of the lease stays
 *            -DINNER=n -DLI=..  the first n units also hang on an inner breaker of limit LI
 *            -DSTALL  a write to the actuator may take any time; the actuator goes to F by itself when the lease it was
 *            last told runs out (SL=0 only)
 *            -DIDLE   a unit at its fall-back may cap itself at 0 (nobody is plugged in)
 *            -DPAUSE=n  the tail starts at the decision, and the write comes n ticks later: an error unless n is 0
 *            -DRESUME=n  the second new leader is the first one again: 1 it goes on with its ledger, 2 it starts anew
 * Mistakes   -DBUG=k, found by a search that ends with an error:
 *            1 increase before the decrease is confirmed      12 reports from before the authority count
 *            2 new leader does not wait out old leases        13 report before the old current is gone
 *            3 lease counted from receipt                     14 cold hold too short
 *            4 no fence                                       15 weaker knowledge replaces better (amps, not safety)
 *            5 older grant applied after a newer one          16 "my ledger does not change" taken for harmless
 *            6 boot id ignored                                17 new cap shorter than the old one not minded
 *            7 report forgets the car's lag                   18 fit test looks at the inner breaker only
 *            8 no margin for drift                            19 fit test looks at the outer breaker only
 *            9 restart goes straight to the fall-back         20 STALL: tail starts at the decision
 *            10 cap counted from receipt of the report        21 STALL: cap reported before the actuator has it
 *            11 fit test looks at the present only            22 TRIM: the ceiling is set, not only lowered
 *                                                             23 TRIM: the leader counts the trim when it issues it
 * Reachable  -DGOAL=k makes an "error" of a state one wants: 1 one car has the whole breaker, 2 the same under the last
 *            leader, 3 INNER: an inner unit has all of the inner breaker while an outer one is above its fall-back
 */
#ifndef N
#define N 2
#endif
#ifndef F
#define F 1
#endif
#ifndef L
#define L (N*F)
#endif
#ifndef BUG
#define BUG 0
#endif
#ifndef GOAL
#define GOAL 0
#endif
#ifndef MAXSW
#define MAXSW 2
#endif
#ifndef TU
#define TU 2
#endif
#define D 1
#ifndef SL
#define SL 1
#endif
#ifndef HB
#define HB 1
#endif
#ifndef FRESH
#define FRESH 1
#endif
#ifndef TC
#define TC (TU+SL+D+SL+1)
#endif
#if BUG==8
#define WL (TU+D)
#else
#define WL (TU+SL+D)            /* what any lease of an earlier leader lasts at most, with the lag */
#endif
#if BUG==14
#define TCOLD (TC-2)
#else
#define TCOLD (TC+SL)           /* after a start: this long at 0, then the fall-back */
#endif
#if BUG==3
#define GMAX (TU+SL+1)
#else
#define GMAX (TU+SL)            /* a grant anchored longer ago is refused */
#endif
#ifdef INNER
#define MX(i) ((i)<INNER && LI<L -> LI : L)
#else
#define MX(i) L
#endif
#if defined(STALL) && SL>0
#error "STALL has no drift"
#endif

#ifdef TRACE
#if N==3
#define SHOW printf("        draw<=%d,%d,%d ceiling=%d,%d,%d left=%d,%d,%d ledger=%d/%d,%d/%d,%d/%d leader %d\n",REAL(0),REAL(1),REAL(2),a[0],a[1],a[2],rem[0],rem[1],rem[2],H[0],T[0],H[1],T[1],H[2],T[2],sw)
#else
#define SHOW printf("        draw<=%d,%d ceiling=%d,%d left=%d,%d ledger=%d/%d,%d/%d leader %d\n",REAL(0),REAL(1),a[0],a[1],rem[0],rem[1],H[0],T[0],H[1],T[1],sw)
#endif
#define LOG0(t) printf(t)
#define LOG1(t,i) printf(t,i)
#define LOG2(t,i,y) printf(t,i,y)
#else
#define SHOW skip
#define LOG0(t) skip
#define LOG1(t,i) skip
#define LOG2(t,i,y) skip
#endif

/* ---- the units ---- */
byte a[N];                      /* ceiling */
byte rem[N];                    /* ticks until the lease ends (0: none runs) */
bit sl[N];                      /* the unit's clock gains a tick during this lease */
byte q[N]; byte d[N];           /* tail: a former, higher ceiling that the car may still draw, for d more ticks */
bit ad[N];                      /* a grant newer than the applied one was issued */
byte uf[N];                     /* fence: 0 the present leader, 1 and 2 earlier ones */
byte cr[N];                     /* restarted, and the old current may still flow (2: the 0 is not yet written) */
#ifdef STALL
byte r[N]; byte vr[N];          /* what the actuator was last told: amps, ticks until it goes to F by itself */
#if BUG==20
byte qb[N]; byte db[N];         /* the tail that the unit believes in */
#endif
#endif
#ifdef PAUSE
byte qr[N]; byte dr[N];         /* the tail as it is; q and d are what the unit believes */
#endif
/* ---- one report in flight per unit: age, age of the heartbeat it echoes, e, cap left, a grant is outstanding, ---- */
/* ---- made before a restart, ceiling at or above the fall-back                                                ---- */
bit rv[N]; byte rg[N]; byte rh[N]; byte re[N]; byte rr[N]; bit ra[N]; bit rs[N]; bit rp[N];
/* ---- two grants in flight per unit, slot 0 the newer: age of the report they answer, amps, leader, is a trim ---- */
#define S(i,s) ((i)*2+(s))
bit gv[2*N]; byte gg[2*N]; byte ga[2*N]; byte gt[2*N];
#ifdef TRIM
bit gk[2*N];
#define KIND(z,v) gk[z]=v
#define ISTRIM(z) (gk[z])
#else
#define KIND(z,v) skip
#define ISTRIM(z) (0)
#endif
/* ---- the ledger of the present leader: H for T ticks, then F ---- */
byte H[N]; byte T[N];
#ifdef RESUME
byte H0[N]; byte T0[N];         /* what the first leader keeps in mind */
#endif
byte ten; byte sw;              /* ticks since the authority began (up to HB); changes of leader */
byte k, j, h2, t2, x, sum, c, okk;        /* scratch, zero between steps */

#define MAX(u,v) ((u)>(v) -> (u) : (v))
/* E: what the unit reports. REAL: what the car may draw. */
#if defined(STALL)
#define REAL(i) MAX(r[i],q[i])
#if BUG==20
#define E(i) MAX(a[i],qb[i])
#else
#define E(i) (a[i]>r[i] -> MAX(a[i],q[i]) : MAX(r[i],q[i]))
#endif
#elif defined(PAUSE)
#define REAL(i) MAX(a[i],qr[i])
#define E(i) MAX(a[i],q[i])
#else
#define REAL(i) MAX(a[i],q[i])
#define E(i) MAX(a[i],q[i])
#endif
#define ENV(i,t) (T[i]>(t) -> H[i] : F)

#ifdef SYM
#include "symmetry.pml"
#else
#define CANON skip
#endif

inline check() {
  SHOW;
  sum=0; k=0;
  do :: k<N -> sum=sum+REAL(k); k++ :: else -> break od;
#if GOAL==0
  assert(sum<=L);
#endif
#ifdef INNER
  sum=0; k=0;
  do :: k<INNER -> sum=sum+REAL(k); k++ :: else -> break od;
#if GOAL==0
  assert(sum<=LI);
#endif
#endif
  k=0; sum=0
}
inline clrG(z) { KIND(z,0); gv[z]=0; gg[z]=0; ga[z]=0; gt[z]=0 }
inline clrR(z) { rv[z]=0; rg[z]=0; rh[z]=0; re[z]=0; rr[z]=0; ra[z]=0; rs[z]=0; rp[z]=0 }

/* ---- the actuator ---- */
/* The ceiling is about to fall: what was allowed until now may be drawn for D more. */
inline lower(i) {
#if defined(STALL)
#if BUG==20
  qb[i]=MAX(qb[i],a[i]); db[i]=D
#else
  skip                                          /* the tail starts when the write is confirmed */
#endif
#elif defined(PAUSE)
  q[i]=MAX(q[i],a[i]); d[i]=D; qr[i]=MAX(qr[i],a[i]); dr[i]=D+PAUSE
#else
  q[i]=MAX(q[i],a[i]); d[i]=D
#endif
}
#ifdef STALL
#define PENDING(i) (r[i]!=a[i] || vr[i]!=rem[i] || cr[i]==2)
inline confirm(i) {
  LOG2("actuator of %d confirms %d A\n",i,a[i]);
  if :: a[i]<r[i] -> q[i]=MAX(q[i],r[i]); d[i]=D :: else fi;
  r[i]=a[i]; vr[i]=rem[i];
  if :: cr[i]==2 -> cr[i]=(d[i]>0 -> 1 : 0) :: else fi;
  check()
}
#endif

/* ---- time ---- */
inline tick_unit(i) {
  if :: d[i]>0 -> d[i]--; if :: d[i]==0 -> q[i]=0; if :: cr[i]==1 -> cr[i]=0 :: else fi :: else fi :: else fi;
#if defined(STALL) && BUG==20
  if :: db[i]>0 -> db[i]--; if :: db[i]==0 -> qb[i]=0 :: else fi :: else fi;
#endif
#ifdef PAUSE
  if :: dr[i]>0 -> dr[i]--; if :: dr[i]==0 -> qr[i]=0 :: else fi :: else fi;
#endif
#ifdef STALL
  if :: vr[i]>0 -> vr[i]--;
        if :: vr[i]==0 -> if :: r[i]>F -> q[i]=MAX(q[i],r[i]); d[i]=D :: else fi; r[i]=F
           :: else fi
     :: else fi;
#endif
  if :: rem[i]>0 -> rem[i]--;
        if :: rem[i]==0 ->
              if :: a[i]>F ->
#if defined(PAUSE)
                    q[i]=MAX(q[i],a[i]); d[i]=D; qr[i]=MAX(qr[i],a[i]); dr[i]=MAX(dr[i],D)
#else
                    lower(i)
#endif
                 :: else fi;
              a[i]=F; sl[i]=0
           :: else fi
     :: else fi
}
inline tick() {
  LOG0("tick\n");
  k=0;
  do
  :: k<N ->
     tick_unit(k);
     if :: rv[k] -> rg[k]++; rh[k]++; if :: rh[k]>FRESH -> clrR(k) :: else fi :: else fi;
     j=2*k;
     do :: j<2*k+2 -> if :: gv[j] -> gg[j]++; if :: gg[j]>=GMAX -> clrG(j) :: else fi :: else fi; j++
        :: else -> break od;
     if :: T[k]>0 -> T[k]--; if :: T[k]==0 -> H[k]=F :: else fi :: else fi;
#ifdef RESUME
     if :: T0[k]>0 -> T0[k]--; if :: T0[k]==0 -> H0[k]=F :: else fi :: else fi;
#endif
     k++
  :: else -> break od;
  if :: ten<HB -> ten++ :: else fi;
  j=0; check()
}

/* ---- a unit answers a heartbeat of age hh of the present leader ---- */
#if defined(STALL) && BUG!=21
#define CAPLEFT(i) (vr[i]<rem[i] -> vr[i] : rem[i])     /* the cap that the actuator has may end before the new one */
#else
#define CAPLEFT(i) (rem[i]+sl[i])
#endif
inline report(i,hh) {
  LOG2("%d reports, echoes a heartbeat of age %d\n",i,hh);
  if :: uf[i]!=0 -> uf[i]=0; ad[i]=0 :: else fi;
#if BUG!=4
  if :: gv[S(i,0)] && gt[S(i,0)]>0 -> clrG(S(i,0)) :: else fi;  /* the fence refuses it from now on */
  if :: gv[S(i,1)] && gt[S(i,1)]>0 -> clrG(S(i,1)) :: else fi;
#endif
  rv[i]=1; rg[i]=0; rh[i]=hh; ra[i]=ad[i]; rs[i]=0;
#if BUG==7
  re[i]=a[i];
#elif BUG==13
  re[i]=(cr[i] -> a[i] : E(i));
#else
  re[i]=E(i);
#endif
  rr[i]=(a[i]<F -> CAPLEFT(i) : 0);
#ifdef PILOT
  rp[i]=(a[i]>=F -> 1 : 0)
#endif
}

/* ---- the leader learns from a report: an upper bound of e for every future instant ---- */
inline learn(i) {
  LOG2("leader reads the report of %d: e=%d\n",i,re[i]);
  if :: ra[i]==0 ->
        if :: re[i]>F -> H[i]=re[i]; if :: T[i]==0 -> T[i]=WL :: else fi
           :: re[i]==F -> H[i]=F; T[i]=0
           :: else ->                           /* a cap: how long does it surely last? */
#if BUG==10
              t2=(rr[i]>SL -> rr[i]-SL : 0);
#else
              t2=(rr[i]>SL+rh[i] -> rr[i]-SL-rh[i] : 0);
#endif
#if BUG==15
              H[i]=re[i]; T[i]=t2;
#else
              if :: H[i]>=F || t2>T[i] -> H[i]=re[i]; T[i]=t2 :: else fi;
#endif
              t2=0;
              if :: T[i]==0 -> H[i]=F :: else fi
        fi
     :: else fi
}
/* At no present or future instant may the sum of the envelopes exceed a limit of a breaker above unit i. */
inline fits(i) {
  okk=1; j=0;
  do
  :: j<=N ->
     t2=0;
     if :: j<N -> t2=T[j] :: else fi;           /* just after entry j changes */
#if BUG==11
     t2=0;
#endif
     sum=0; k=0;
     do :: k<N -> sum=sum+ENV(k,t2); k++ :: else -> break od;
#if BUG==18
     if :: sum>L && i>=INNER -> okk=0 :: else fi;
#else
     if :: sum>L -> okk=0 :: else fi;
#endif
#if defined(INNER) && BUG!=19
     sum=0; k=0;
     do :: k<INNER -> sum=sum+ENV(k,t2); k++ :: else -> break od;
     if :: sum>LI && i<INNER -> okk=0 :: else fi;
#endif
     j++
  :: else -> break od;
  j=0; k=0; t2=0; sum=0
}
inline send(i,x1,kind,keep) {
  if :: rs[i]==0 ->                             /* a grant to an earlier boot is refused anyway */
        ad[i]=1;
        if :: keep -> gv[S(i,1)]=gv[S(i,0)]; gg[S(i,1)]=gg[S(i,0)]; ga[S(i,1)]=ga[S(i,0)]; gt[S(i,1)]=gt[S(i,0)];
                      KIND(S(i,1),gk[S(i,0)])
           :: else fi;
        gv[S(i,0)]=1; gg[S(i,0)]=rg[i]; ga[S(i,0)]=x1; gt[S(i,0)]=0; KIND(S(i,0),kind)
     :: else fi
}
inline issue(i,x1,keep) {
  LOG2("leader would grant %d: %d A\n",i,x1);
  h2=H[i]; c=T[i];
#if BUG==1
  H[i]=x1; if :: x1>F -> T[i]=WL :: x1<F -> T[i]=TC-SL-rh[i] :: else -> T[i]=0 fi;
#else
  if :: x1>H[i] -> H[i]=x1 :: else fi;
  if :: x1>F -> T[i]=WL
     :: H[i]==F -> T[i]=0
#if BUG!=17
     :: H[i]<F && T[i]>TC-SL-rh[i] -> T[i]=TC-SL-rh[i]  /* a new cap may run out before the one it replaces */
#endif
     :: else fi;
#endif
  fits(i);
#if BUG==16
  if :: (H[i]==h2 && T[i]==c) || okk ->
#else
  if :: x1==0 || (rp[i] && x1<=F) || okk ->
#endif
        send(i,x1,0,keep)
     :: else -> H[i]=h2; T[i]=c                 /* not allowed: nothing happens */
  fi;
  clrR(i); h2=0; c=0; okk=0                     /* one grant per report */
}

/* ---- a unit accepts a grant ---- */
#if BUG==4
#define FENCE(i,z) (1)
#else
#define FENCE(i,z) (gt[z]<=uf[i])
#endif
#if BUG==3
#define AGE(z) 0
#else
#define AGE(z) gg[z]
#endif
#define CANACC(i,z,s1) (gv[z] && !ISTRIM(z) && FENCE(i,z) && (ga[z]>F -> TU+s1>AGE(z) : (ga[z]<F -> TC>AGE(z)+s1 : 1)))
inline applied(i,z) {
  uf[i]=gt[z]; ad[i]=((z)%2==0 -> 0 : 1);
#if BUG==5
  if :: z%2==1 -> clrG(z) :: else fi;
#else
  if :: z%2==0 -> clrG(S(i,1)) :: else fi;      /* the sequence number refuses the older one from now on */
#endif
  clrG(z)
}
inline accept(i,z,s1) {
  LOG2("%d accepts %d A\n",i,ga[z]);
  x=ga[z];
  if :: x<a[i] -> lower(i) :: else fi;
  a[i]=x; sl[i]=0;
  if :: x>F -> rem[i]=TU+s1-AGE(z)
     :: x<F -> rem[i]=TC-s1-AGE(z); sl[i]=s1
     :: else -> rem[i]=0 fi;
  applied(i,z);
  x=0; check()
}
#ifdef TRIM
inline issue_trim(i,x1) {
  LOG2("leader trims %d to %d A\n",i,x1);
#if BUG==23
  if :: x1<H[i] -> H[i]=x1 :: else fi;
#endif
  send(i,x1,1,0);
  clrR(i)
}
inline accept_trim(i,z) {
  LOG2("%d trims to %d A\n",i,ga[z]);
#if BUG==22
  if :: ga[z]<a[i] -> lower(i) :: else fi;
  a[i]=ga[z];
#else
  if :: ga[z]<a[i] -> lower(i); a[i]=ga[z] :: else fi;
#endif
  applied(i,z);
  check()
}
#endif

#ifdef IDLE
inline idle(i,s1) {
  LOG1("%d caps itself\n",i);
  lower(i);
  a[i]=0; rem[i]=TC-s1; sl[i]=s1;
  check()
}
#define A_IDL1(i,s1) :: d_step { (a[i]==F && F>0) -> idle(i,s1); CANON }
#if SL>0
#define A_IDL(i)    A_IDL1(i,0) A_IDL1(i,1)
#else
#define A_IDL(i)    A_IDL1(i,0)
#endif
#else
#define A_IDL(i)
#endif

/* ---- a unit restarts without memory ---- */
inline crash(i,s1) {
  LOG1("%d restarts without memory\n",i);
#if defined(STALL)
  cr[i]=2;
#else
#ifdef PAUSE
  qr[i]=REAL(i); dr[i]=(qr[i]>0 -> MAX(dr[i],D) : 0);
#endif
  q[i]=E(i); d[i]=(q[i]>0 -> D : 0); cr[i]=(q[i]>0 -> 1 : 0);
#endif
#if BUG==9
  a[i]=F; rem[i]=0; sl[i]=0;
#else
  a[i]=0; rem[i]=TCOLD-s1; sl[i]=s1;
#endif
  uf[i]=2; ad[i]=0;
#if BUG!=6
  clrG(S(i,0)); clrG(S(i,1));                   /* they name another boot */
#endif
  if :: rv[i] -> rs[i]=1 :: else fi;
  check()
}

/* ---- another leader has authority ---- */
inline newledger(i) {
#ifdef RESUME
  if :: sw==1 -> H0[i]=H[i]; T0[i]=T[i]; H[i]=MX(i); T[i]=WL
     :: else ->
#if RESUME==1
        H[i]=H0[i]; T[i]=T0[i]
#else
        H[i]=MX(i); T[i]=WL
#endif
  fi
#elif BUG==2
  H[i]=F; T[i]=0
#else
  H[i]=MX(i); T[i]=WL
#endif
}
inline newleader() {
  LOG0("new leader\n");
  sw++; ten=0; k=0;
  do :: k<N ->
        newledger(k);
#if BUG==12
        if :: rv[k] -> ra[k]=0 :: else fi;
#else
        clrR(k);
#endif
        if :: uf[k]<2 -> uf[k]++ :: else fi;
        j=2*k;
        do :: j<2*k+2 -> if :: gv[j] -> gt[j]++; if :: gt[j]>2 -> clrG(j) :: else fi :: else fi; j++ :: else -> break od;
        k++
     :: else -> break od; k=0; j=0
}

/* ---- everything that can happen ---- */
#if BUG==13
#define MAYREP(i) (1)
#else
#define MAYREP(i) (cr[i]==0)    /* after a start: nothing is said until the old current is surely gone */
#endif
#define A_REP(i,hh) :: d_step { (MAYREP(i) && hh<=ten) -> report(i,hh); CANON }
#define A_LRN(i)    :: d_step { rv[i] -> learn(i); clrR(i); CANON }
#ifdef ONE_SLOT
#define A_ISS(i,x1) :: d_step { rv[i] -> learn(i); issue(i,x1,0); CANON }
#else
#define A_ISS(i,x1) :: d_step { rv[i] -> learn(i); issue(i,x1,0); CANON } \
                    :: d_step { (rv[i] && gv[S(i,0)]) -> learn(i); issue(i,x1,1); CANON }
#endif
#ifdef G0FL
#if defined(INNER) && LI!=L
#define A_ISSX(i)   A_ISS(i,0) A_ISS(i,F) A_ISS(i,LI) A_ISS(i,L)
#else
#define A_ISSX(i)   A_ISS(i,0) A_ISS(i,F) A_ISS(i,L)
#endif
#elif L>=4
#define A_ISSX(i)   A_ISS(i,0) A_ISS(i,1) A_ISS(i,2) A_ISS(i,3) A_ISS(i,4)
#elif L>=3
#define A_ISSX(i)   A_ISS(i,0) A_ISS(i,1) A_ISS(i,2) A_ISS(i,3)
#else
#define A_ISSX(i)   A_ISS(i,0) A_ISS(i,1) A_ISS(i,2)
#endif
#ifdef TRIM
#define A_TRIMX(i)  A_TRIM(i,F) A_TRIM(i,F+1)
#define A_TRIM(i,x1) :: d_step { rv[i] -> learn(i); issue_trim(i,x1); CANON }
#define A_ACT(i,s)  :: d_step { (gv[S(i,s)] && ISTRIM(S(i,s)) && FENCE(i,S(i,s))) -> accept_trim(i,S(i,s)); CANON }
#else
#define A_TRIMX(i)
#define A_ACT(i,s)
#endif
#if SL>0
#define A_AC1(i,s)  :: d_step { CANACC(i,S(i,s),1) -> accept(i,S(i,s),1); CANON }
#define A_CR1(i)    :: d_step { 1 -> crash(i,1); CANON }
#else
#define A_AC1(i,s)
#define A_CR1(i)
#endif
#define A_AC0(i,s)  :: d_step { CANACC(i,S(i,s),0) -> accept(i,S(i,s),0); CANON }
#define A_ACC(i,s)  A_AC0(i,s) A_AC1(i,s) A_ACT(i,s)
#define A_CRA(i)    :: d_step { 1 -> crash(i,0); CANON } A_CR1(i)
#ifdef STALL
#define A_CNF(i)    :: d_step { PENDING(i) -> confirm(i); CANON }
#else
#define A_CNF(i)
#endif
#define UNIT(i)     A_REP(i,0) A_REP(i,1) A_LRN(i) A_ISSX(i) A_TRIMX(i) A_ACC(i,0) A_ACC(i,1) A_CRA(i) A_CNF(i) A_IDL(i)

active proctype all() {
  d_step {
    k=0;
    do :: k<N ->
          a[k]=0; rem[k]=TCOLD; uf[k]=2; H[k]=MX(k); T[k]=WL;
#ifdef STALL
          vr[k]=TCOLD;
#endif
          k++
       :: else -> break od;
    k=0
  }
end: do
  :: d_step { 1 -> tick(); CANON }
  UNIT(0) UNIT(1)
#if N>=3
  UNIT(2)
#endif
  :: d_step { sw<MAXSW -> newleader(); CANON }
#if GOAL==1
  :: d_step { 1 -> assert(!(a[0]==L)) }
#elif GOAL==2
  :: d_step { 1 -> assert(!(sw==MAXSW && a[0]==L && uf[0]==0)) }
#elif GOAL==3
  :: d_step { 1 -> assert(!(a[0]==LI && LI>F && a[N-1]>F)) }
#endif
  od
}
