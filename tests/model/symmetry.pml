/* symmetry.pml -- part of grant.pml with -DSYM: of the states that differ only in the order of the units, one is kept.
 *
 * The units of one breaker are alike, and the claim is about their sum, so a state is safe exactly when the same state
 * with the units in another order is. After each step the units are sorted. Any order would do; this one compares all
 * that a unit, its messages and its line of the ledger consist of. The units of a counterexample change names on the way.
 */
#if defined(INNER) || defined(STALL) || defined(PAUSE) || defined(RESUME)
#error "SYM knows units that are all alike, and no STALL, PAUSE or RESUME"
#endif
int w1, w2;                     /* scratch, zero between steps */

#define KEY1(i) (a[i]|(rem[i]<<3)|(H[i]<<7)|(T[i]<<10)|(q[i]<<13)|(d[i]<<16)|(uf[i]<<17)|(cr[i]<<19)|(gv[S(i,0)]<<21)|(ga[S(i,0)]<<22)|(gg[S(i,0)]<<25))
#ifdef ONE_SLOT
#define KEY2(i) (rv[i]|(rg[i]<<1)|(rh[i]<<3)|(re[i]<<5)|(rr[i]<<8)|(ra[i]<<12)|(rs[i]<<13)|(rp[i]<<14)|(gt[S(i,0)]<<15)|(ad[i]<<17)|(sl[i]<<18))
#else
#define KEY2(i) (rv[i]|(rg[i]<<1)|(rh[i]<<3)|(re[i]<<5)|(rr[i]<<8)|(ra[i]<<12)|(rs[i]<<13)|(rp[i]<<14)|(gt[S(i,0)]<<15)|(ad[i]<<17)|(sl[i]<<18)|(gv[S(i,1)]<<19)|(ga[S(i,1)]<<20)|(gg[S(i,1)]<<23)|(gt[S(i,1)]<<25))
#endif

#define SW1(u,v,y) w1=y[u]; y[u]=y[v]; y[v]=w1
#define SW2(u,v,y) SW1(S(u,0),S(v,0),y); SW1(S(u,1),S(v,1),y)
#ifdef TRIM
#define SWK(u,v) SW2(u,v,gk)
#else
#define SWK(u,v) skip
#endif
inline swap(u,v) {
  SW1(u,v,a); SW1(u,v,rem); SW1(u,v,sl); SW1(u,v,q); SW1(u,v,d); SW1(u,v,ad); SW1(u,v,uf); SW1(u,v,cr); SW1(u,v,H); SW1(u,v,T);
  if :: rv[u] || rv[v] ->
        SW1(u,v,rv); SW1(u,v,rg); SW1(u,v,rh); SW1(u,v,re); SW1(u,v,rr); SW1(u,v,ra); SW1(u,v,rs); SW1(u,v,rp)
     :: else fi;
  if :: gv[S(u,0)] || gv[S(v,0)] || gv[S(u,1)] || gv[S(v,1)] ->
        SW2(u,v,gv); SW2(u,v,gg); SW2(u,v,ga); SW2(u,v,gt); SWK(u,v)
     :: else fi
}
inline order(u,v) {
  w1=KEY1(u); w2=KEY1(v);
  if :: w1==w2 -> w1=KEY2(u); w2=KEY2(v) :: else fi;
  if :: w1>w2 -> swap(u,v) :: else fi
}
#if N==2
#define CANON order(0,1); w1=0; w2=0
#else
#define CANON order(0,1); order(1,2); order(0,1); w1=0; w2=0
#endif
