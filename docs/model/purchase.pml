/* The purchase protocol for one line, for Spin 6.5. README.md says how to run it.
 *
 * Line states, attempt states and rules (T2, T4, ...) have the names that they have in
 * internal/purchase/state.go.
 *
 * The invariants
 *   I1  A line binds at most one commitment. In class Q: at most one order fires.
 *   I2  A purchased line has bound exactly one.
 *   I3  A failed, canceled, expired or superseded line has bound none and never will.
 *   I4  What is bound is recorded, or a person is asked about it.
 *   I5  No success is learned of after the line, or the attempt, was proven empty.
 *   I6  No line is stuck.
 *
 * The actors
 *   Worker    advances the line. It may stop between any two steps for any time, lose its
 *             memory and start again, or never come back. There is no lease: safety must
 *             not need one. Only the process that armed an attempt can send it.
 *   Cloud     receives requests late, in any order, or never. It refuses, or binds and
 *             answers, or binds and gives an answer that proves nothing.
 *   World     is the passing of time: requests die at their deadline, commitments become
 *             visible in lists, tokens are forgotten, an order fires.
 *   Approval  may end at any time.
 *   Operator  may call the line off, or approve a newer version of its plan.
 *   Foreign   (-DFOREIGN) somebody else buys an identical item in the lane of class C or AC.
 *   Dba       (-DRESTORE) puts the ledger back to an earlier state, once.
 *   Monitor   checks, when nothing can move any more, that the line has come to an end.
 *
 * The ledger commits atomically by compare-and-set. The answer to a COMMIT may be lost,
 * whether or not the COMMIT took effect. A row that could not be written is, to everybody
 * else, the row of a process that stopped before it wrote.
 *
 * Settings
 *   -DCLASS=A   the cloud remembers a client token for a while
 *   -DCLASS=B   the name that we choose stays unique
 *   -DCLASS=C   no identity: only the inventory before and after can tell
 *   -DCLASS=Q   ordered for a later second, deletable until then
 *   -DCLASS=AC  a client token as in A, which no list shows: looked up as in C
 *   -DNW=2 -DNA=3 -DMAXCRASH=2   workers; attempts; losses of memory. Besides, every worker
 *               but one may be gone for good.
 *   -DLIVE      for the liveness property `ends`
 *   -DNO_I6     without I6, so that a mutant is judged by I1 to I5 alone
 *
 * Mutants: each -DM_... takes one guard or one assumption away.
 *   M_BLIND_COMMIT   send although the answer to the COMMIT of T2 was lost
 *   M_NO_INTENT      send first, arm afterwards
 *   M_NO_QUARANTINE  close although a request may still take effect or be invisible
 *   M_NO_VISWAIT     close when every request is dead, before lists have settled
 *   M_LATE_ACCEPT    the cloud accepts a request after its deadline
 *   M_NO_VERSION     close although an attempt was armed after the look began
 *   M_FAIL_FAST      a refusal closes the line although another attempt is open
 *   M_TIMER_FAIL     a timer turns an armed line into a failed one
 *   M_RESEND_C       classes C and Q: send again while in doubt
 *   M_TOKEN_WINDOW   classes A and AC: the token may be forgotten while a request is alive
 *   M_NEW_TOKEN      T3 uses a fresh identity
 *   M_CANCEL_FINAL   an armed line that is called off is canceled at once
 *   M_5XX_FINAL      an answer that proves nothing is taken for a refusal
 *   M_SDK_RETRY      one attempt may reach the cloud twice
 *   M_NAIVE_ATTR     (with FOREIGN) a new item is ours without proof
 *   M_STALE_IMAGE    (with FOREIGN) what the lane held before is not remembered
 *   M_RESTORE_NAIVE  (with RESTORE) work goes on as if nothing had happened
 *   M_NO_SWEEP       nobody ends a ready line that may not be sent any more (I6)
 *   M_NO_COMMIT      (with LIVE) the ledger may refuse every COMMIT for ever
 */
#define A 1
#define B 2
#define C 3
#define Q 4
#define AC 5

#ifndef CLASS
#define CLASS C
#endif
#ifndef NW
#define NW 2
#endif
#ifndef NA
#define NA 3                    /* at most 4 */
#endif
#ifndef MAXCRASH
#define MAXCRASH 2
#endif
#define SZ 5                    /* attempts count from 1 */

#if CLASS == A || CLASS == B
#define NAMED true              /* a look can ask for the line's purchases alone */
#else
#define NAMED false
#endif
#define TOKEN (CLASS == A || CLASS == AC)   /* the cloud merges what carries a token it remembers */
#define LANE (CLASS == C || CLASS == AC)    /* only the inventory before and after can tell */
#define RESENDS (NAMED || CLASS == AC)
#ifdef FOREIGN
#define EXCLUSIVE false         /* nobody else buys in this lane */
#else
#define EXCLUSIVE true
#endif

/* Line states. draft and needs_reapproval are not reached here; recovery is reached with
 * RESTORE only. Attempt states: armed is shared with the line; 0 means that the ledger has
 * no such attempt. */
mtype = { draft, ready, armed, queued, purchased, failed, canceled, expired, superseded,
          needs_reapproval, needs_review, recovery };
mtype = { unsent, succeeded, rejected, accepted, in_doubt, dead };

/* What the process that sent an attempt has learned: nothing yet, bought, refused, that not
 * one byte left, or something that proves nothing (a 5xx, a torn body, "the name exists").
 * nobody: the process waits no more, or has lost its memory. */
mtype = { no_answer, ans_bought, ans_refused, ans_unsent, ans_unclear, nobody };

/* ---- the ledger: durable, changed by compare-and-set only ---- */
mtype line = ready;
byte  generation = 1;           /* the identity is a function of line and generation      */
byte  narmed = 0;               /* attempts ever armed                                    */
mtype attempt[SZ];              /* attempt states                                         */
bool  cancel_requested = false;
byte  before = 0;               /* what the lane held when the generation was first armed     */
byte  incarnation = 0;          /* one more after every restore                           */

/* ---- the world: what is true whether or not anybody knows ---- */
bool  approved = true;          /* the approval stands                                    */
byte  nsent = 0;                /* attempts that some process may send or has sent        */
byte  gen_of[SZ];               /* the generation whose identity attempt a carries        */
bool  on_wire[SZ];              /* request a is under way                                 */
bool  copy[SZ];                 /* so is a second copy of it (M_SDK_RETRY)                */
bool  past[SZ];                 /* request a is past its deadline                         */
mtype answer[SZ] = no_answer;   /* what its sender will read                              */
byte  bound[SZ];                /* commitments (class Q: orders) that attempt a has made  */
byte  listed[SZ];               /* of those, visible in lists                             */
bool  trail[SZ];                /* the audit log names attempt a's credential             */
bool  known[SZ];                /* the cloud knows the identity of generation g           */
bool  forgotten[SZ];            /* ... and has forgotten it again (A, AC)               */
byte  live = 0;                 /* commitments, or orders not deleted, of this line       */
bool  theirs_listed = false;    /* somebody else's identical item is in the lane          */
bool  ordered = false;          /* class Q: a settled look has shown the order            */
bool  deleted = false;          /* class Q: the order was deleted                         */
bool  fired = false;            /* class Q: its second has come                           */
byte  crashes = 0;              /* losses of memory so far                                */
byte  gone = 0;                 /* workers gone for good                                  */
#ifdef LIVE
byte  lost_commits = 0;         /* COMMITs of T2 without effect                           */
#endif

#define TERMINAL   (line==purchased || line==failed || line==canceled || line==expired || line==superseded)
#define ENDED      (TERMINAL || line==needs_review)
#define NOT_BOUGHT (line==failed || line==canceled || line==expired || line==superseded)

/* An attempt is closed when its effect is known. */
#define CLOSED(i)    (attempt[i]==unsent || attempt[i]==succeeded || attempt[i]==rejected || attempt[i]==dead)
#define NONE_OPEN(n) ((n<1 || CLOSED(1)) && (n<2 || CLOSED(2)) && (n<3 || CLOSED(3)) && (n<4 || CLOSED(4)))

/* An open attempt is settled when its request is past its deadline and everything that it
 * bound is listed. Only then does a listing that shows nothing prove anything. */
#ifdef M_NO_VISWAIT
#define QUIET(i)   past[i]
#else
#define QUIET(i)   (past[i] && listed[i]==bound[i])
#endif
#define SETTLED1(i)  (i > narmed || CLOSED(i) || QUIET(i))
#ifdef M_NO_QUARANTINE
#define SETTLED    true
#else
#define SETTLED    (SETTLED1(1) && SETTLED1(2) && SETTLED1(3) && SETTLED1(4))
#endif

/* After a restore the ledger may not know all attempts. Every request there ever was must be
 * quiet before anything is concluded; in the program a time that is long enough ensures it. */
#define ALL_QUIET  ((nsent<1 || QUIET(1)) && (nsent<2 || QUIET(2)) && (nsent<3 || QUIET(3)) && (nsent<4 || QUIET(4)))

/* What a complete look shows. An order that was deleted is not counted. */
#define LISTED     (deleted -> 0 : listed[1]+listed[2]+listed[3]+listed[4])
#define TRAIL      (trail[1] || trail[2] || trail[3] || trail[4])
#if LANE
#ifdef M_STALE_IMAGE
#define NEW        (LISTED + theirs_listed)
#else
#define NEW        (LISTED + theirs_listed - before)
#endif
#else
#define NEW        LISTED
#endif

/* A request under the identity of generation g may still arrive. */
#define ALIVE1(i,g) (i <= nsent && gen_of[i]==g && !past[i])
#define ALIVE(g)    (ALIVE1(1,g) || ALIVE1(2,g) || ALIVE1(3,g) || ALIVE1(4,g))

#define SENDABLE   (!cancel_requested && approved && narmed<NA && nsent<NA)

/* Gives the right to send one request, once, to the process that runs this. */
inline new_attempt() {
   nsent++; mine = nsent; gen_of[mine] = generation
}
inline new_row() {
   narmed++; attempt[mine] = armed
}

/* The first open attempt gets state s. The others are dead: the cloud has merged them into
 * the first, or none has bought anything. */
hidden byte k; hidden mtype next;
inline close_open(s) {
   k = 1; next = s;
   do
   :: k <= narmed -> if :: !CLOSED(k) -> attempt[k] = next; next = dead :: else fi; k++
   :: else -> break
   od
}

/* Every attempt is proven to have bought nothing. */
inline proven_empty() {
   if
   :: cancel_requested               -> line = canceled                 /* T9 */
   :: !cancel_requested && !approved -> line = expired                  /* T9 */
   :: !cancel_requested && approved  ->
      if
      :: SENDABLE -> generation++; line = ready                         /* T8: attempts are left; a fresh identity */
      :: line = failed                                                  /* T9: refused for good, or none is left */
      fi
   fi;
   assert(!NOT_BOUGHT || live==0)                                       /* I3 */
}

inline forget() {
   answer[mine] = nobody;
   mine = 0; my_inc = 0; seen_armed = 0; seen = 0; settled = false; proven = false; committed = false
}
inline crash() {
   if
   :: atomic { crashes < MAXCRASH -> crashes++; forget() } goto IDLE
   :: atomic { gone < NW-1 -> gone++; forget() } goto END
   fi
}

proctype Worker() {
   byte mine = 0;               /* the attempt that this process armed and may send   */
   byte my_inc = 0;             /* the incarnation that it read                       */
   byte seen_armed = 0;         /* narmed when its look began                         */
   byte seen = 0;               /* what the look showed                               */
   bool settled = false;        /* every open attempt was settled when it began       */
   bool proven = false;         /* the audit log, or a paid order, proves that it is ours */
   bool committed = false;
IDLE:
   do

   /* ---- arm: the attempt is in the ledger before its request can leave ---- */
#ifdef M_NO_INTENT
   :: atomic { line==ready && SENDABLE -> my_inc = incarnation; new_attempt(); on_wire[mine] = true }
      if
      :: atomic {
           if
           :: line==ready && narmed<mine -> narmed = mine; attempt[mine] = armed; before = theirs_listed; line = armed
           :: else
           fi }
      :: crash()
      fi;
      goto ANSWER
#else
   :: atomic { line==ready && SENDABLE ->                               /* T2 */
        my_inc = incarnation;
        if
        :: new_attempt(); new_row(); before = theirs_listed; line = armed;
           if :: committed = true :: committed = false fi               /* in effect; known, or the answer is lost */
#if defined(M_BLIND_COMMIT)
        :: new_attempt(); committed = false                             /* not in effect, the answer is lost */
#elif defined(LIVE) && !defined(M_NO_COMMIT)
        :: lost_commits < 2 -> lost_commits++; committed = false
#else
        :: committed = false                                            /* not in effect, the answer is lost */
#endif
        fi }
#ifndef M_BLIND_COMMIT
      /* Without having seen the row of its own nonce, a process never sends. */
      if
      :: committed
      :: !committed && mine != 0                                        /* read back: it is there */
      :: atomic { !committed -> forget() } goto IDLE                    /* it is not there, or nobody can tell */
      fi;
#endif
      committed = false; goto SEND
#endif

   /* One more attempt under the same identity, which the cloud merges; armed like the first. */
   :: atomic { RESENDS && line==armed && SENDABLE && !forgotten[generation] ->   /* T3 */
#ifdef M_NEW_TOKEN
        generation++;
#endif
        my_inc = incarnation; new_attempt(); new_row() }
      goto SEND
#ifdef M_RESEND_C
   :: atomic { !RESENDS && line==armed && narmed<NA && nsent<NA -> my_inc = incarnation; new_attempt(); new_row() }
      goto SEND
#endif
#ifdef M_TIMER_FAIL
   :: atomic { line==armed -> line = failed; assert(live==0) }          /* I3 */
#endif

   /* ---- look: a complete listing first, the conclusion in a later step ----
    * Positive evidence counts at once, negative evidence only when all is settled. Looks
    * that can conclude nothing are left out. */
   :: atomic { line==armed && (SETTLED || (NAMED && LISTED>0) || (LANE && TRAIL)) ->
        my_inc = incarnation; seen_armed = narmed; settled = SETTLED; seen = NEW; proven = TRAIL }
      if
      :: atomic {
           if
#ifdef M_NO_VERSION
           :: line==armed && incarnation==my_inc ->
#else
           :: line==armed && incarnation==my_inc && narmed==seen_armed ->
#endif
              if
#if CLASS == A || CLASS == B
              :: seen>1             -> line = needs_review                          /* T12 */
              :: seen==1            -> line = purchased; close_open(succeeded)      /* T4 */
              :: seen==0 && settled -> close_open(dead); proven_empty()             /* T8, T9 */
              :: seen==0 && !settled
#elif LANE
              :: seen>0 && proven              -> line = purchased; close_open(succeeded)   /* T4: the audit log names it */
#ifdef M_NAIVE_ATTR
              :: seen>0 && !proven             -> line = purchased; close_open(succeeded)
#else
              :: seen==1 && !proven && settled && EXCLUSIVE -> line = purchased; close_open(succeeded)   /* T4 */
              :: seen>0 && !proven && settled && !(seen==1 && EXCLUSIVE) -> line = needs_review  /* T12: ours or theirs? */
              :: seen>0 && !proven && !settled
#endif
              :: seen==0 && settled            -> close_open(dead); proven_empty()          /* T8, T9 */
              :: seen==0 && !settled
#else
              /* All but one of several orders are deleted first; no more can appear. */
              :: seen>0  && settled -> live = 1; ordered = true; close_open(accepted); line = queued   /* T5 */
              :: seen==0 && settled -> close_open(dead); proven_empty()             /* T8, T9 */
              :: !settled
#endif
              fi
           :: else                                                      /* somebody else moved the line */
           fi;
           assert(line!=purchased || live==1);                          /* I2 */
           forget() }
      :: crash()
      fi

#if CLASS == Q
   /* ---- the order: deletable until it fires, then paid or not ----
    * A listing shows whether it was deleted, has fired, and was paid. */
   :: atomic { (line==queued || line==recovery) && cancel_requested && !deleted && !fired -> skip };
      atomic {                                      /* the request to delete may be late, or lost */
        if
        :: !fired && !deleted -> deleted = true; live = 0
        :: skip
        fi }
   :: atomic { line==queued && deleted          -> line = canceled;  close_open(dead) }       /* T7 */
   :: atomic { line==queued && fired && live==1 -> line = purchased; close_open(succeeded) }  /* T6 */
   :: atomic { line==queued && fired && live==0 && !deleted -> line = failed; close_open(dead) }   /* T9: not paid */
#endif

#ifndef M_NO_SWEEP
   /* ---- sweep: nothing was ever sent under this generation ---- */
   :: atomic { line==ready && (cancel_requested || !approved) ->        /* T10 */
        if
        :: cancel_requested -> line = canceled
        :: else             -> line = expired
        fi;
        assert(live==0) }                                               /* I3 */
#endif

#ifdef RESTORE
   /* ---- after a restore: approvals are void; wait, look, close ----
    * A name proves, the audit log proves, and so does an order that was paid. A person may
    * always be asked: whether the ledger still knows the attempt is not looked at here. */
   :: atomic { line==recovery && ALL_QUIET ->
        my_inc = incarnation;
#if CLASS == Q
        seen = live; proven = fired }
#else
        seen = NEW; proven = TRAIL }
#endif
      atomic {
        if
        :: line==recovery && incarnation==my_inc ->                     /* T15 */
           if
           :: seen==1 && NAMED -> line = purchased; close_open(succeeded)
           :: seen>0 && proven  -> line = purchased; close_open(succeeded)
           :: seen>0           -> line = needs_review
           :: seen==0          -> line = canceled; close_open(dead)
#if CLASS == Q
           :: seen>0 && !proven -> ordered = true    /* it waits for its second */
#endif
           fi
        :: else
        fi;
        assert(line!=purchased || live==1);                             /* I2 */
        assert(line!=canceled || live==0);                              /* I3 */
        forget() }
#endif

   /* Nothing is in memory here: a crash is felt only if the worker never comes back. */
   :: atomic { gone < NW-1 -> gone++ } goto END
   od;

   /* ---- send: at most one request, and only from the memory that armed it ---- */
SEND:
   if
   :: atomic { on_wire[mine] = true;
#ifdef M_SDK_RETRY
        if :: copy[mine] = true :: skip fi
#endif
      }
   :: answer[mine] = ans_unsent                     /* the gate was shut, or no byte left */
   :: crash()
   fi;

   /* ---- answer: recorded only on an armed line and an armed attempt ---- */
ANSWER:
   if
   :: atomic { answer[mine]==ans_bought ->
        if
        :: incarnation==my_inc && line==armed && attempt[mine]==armed ->
           if
#if CLASS == Q
           :: attempt[mine] = accepted              /* an order; the listing decides, before it fires */
#else
           :: attempt[mine] = succeeded; line = purchased; close_open(dead); assert(live==1)   /* T4, I2 */
#endif
           :: skip                                  /* not recorded: the look finds out */
           fi
        :: else ->
           /* I5: no late success for a line, or for an attempt, that was proven empty. */
           assert(incarnation!=my_inc || ordered || line==purchased || line==needs_review)
        fi;
        forget() }
   :: atomic { (answer[mine]==ans_refused || answer[mine]==ans_unsent) ->
        if
        :: incarnation==my_inc && line==armed && attempt[mine]==armed ->
           if
           :: attempt[mine] = (answer[mine]==ans_unsent -> unsent : rejected);
              if
#ifdef M_FAIL_FAST
              :: true -> proven_empty()
#else
              :: NONE_OPEN(narmed) -> proven_empty()   /* T8, T9 */
              :: skip                                  /* another attempt was open when the row was read */
#endif
              fi
           :: skip                                     /* not recorded */
           fi
        :: else
        fi;
        forget() }
   :: atomic { answer[mine]==ans_unclear ->
        if
        :: incarnation==my_inc && line==armed && attempt[mine]==armed ->
#ifdef M_5XX_FINAL
           attempt[mine] = rejected;
           if :: NONE_OPEN(narmed) -> proven_empty() :: else fi
#else
           if :: attempt[mine] = in_doubt :: skip fi
#endif
        :: else
        fi;
        forget() }
   :: atomic { answer[mine]==no_answer ->              /* gave up waiting */
        if
        :: incarnation==my_inc && line==armed && attempt[mine]==armed -> if :: attempt[mine] = in_doubt :: skip fi
        :: else
        fi;
        forget() }
   :: crash()
   fi;
   goto IDLE;
END: skip
}

inline tell(i, a) {
   if :: answer[i]!=nobody -> answer[i] = a :: else fi
}
inline bind(i) {
   known[gen_of[i]] = true; bound[i]++; live++;
   if
   :: answer[i]!=nobody -> answer[i] = ans_bought
   :: answer[i]!=nobody -> answer[i] = ans_unclear
   :: answer[i]==nobody
   fi
}
inline refuse(i) {
   if :: answer[i]==no_answer -> answer[i] = ans_refused :: else fi
}
inline deliver(i) {
   if :: on_wire[i] -> on_wire[i] = false :: else -> copy[i] = false fi;
   if
   :: skip                                                              /* the request is lost */
#ifdef M_LATE_ACCEPT
   :: true ->
#else
   :: past[i] -> refuse(i)
   :: !past[i] ->
#endif
      if
      :: bound[i]==0 && answer[i]==no_answer -> refuse(i)               /* quota, throttling, validation */
#if TOKEN
      :: known[gen_of[i]] && !forgotten[gen_of[i]] -> tell(i, ans_bought)         /* the same commitment again */
      :: !known[gen_of[i]] || forgotten[gen_of[i]] -> bind(i)
#elif CLASS == B
      :: known[gen_of[i]]  -> tell(i, ans_unclear)                      /* the name exists; a look shows by what */
      :: !known[gen_of[i]] -> bind(i)
#elif CLASS == C
      :: bind(i)
#else
      :: !fired -> bind(i)                                              /* an order; no money yet */
      :: fired  -> refuse(i)
#endif
      fi
   fi;
#if CLASS != Q
   assert(live <= 1);                                                   /* I1 */
#endif
   assert(!NOT_BOUGHT || live==0)                                       /* I3 */
}
proctype Cloud() {
   do
   :: atomic { (on_wire[1] || copy[1]) -> deliver(1) }
   :: atomic { (on_wire[2] || copy[2]) -> deliver(2) }
#if NA > 2
   :: atomic { (on_wire[3] || copy[3]) -> deliver(3) }
#endif
#if NA > 3
   :: atomic { (on_wire[4] || copy[4]) -> deliver(4) }
#endif
   od
}

/* The order of events is free: only what is past, listed or forgotten matters, not when.
 * An entry in the audit log may never come. */
#define TIME(i) \
   :: atomic { i <= nsent && !past[i] -> past[i] = true } \
   :: atomic { i <= nsent && listed[i] < bound[i] -> listed[i] = bound[i]; if :: LANE -> trail[i] = true :: skip fi }
/* T3 in classes A and AC arms only a request that is dead before the token may be forgotten, so the
 * cloud remembers the token for as long as a request with it is alive. */
#ifdef M_TOKEN_WINDOW
#define FORGET(g) :: atomic { known[g] && !forgotten[g] -> forgotten[g] = true }
#else
#define FORGET(g) :: atomic { known[g] && !forgotten[g] && !ALIVE(g) -> forgotten[g] = true }
#endif
proctype World() {
   do
   TIME(1)
   TIME(2)
#if NA > 2
   TIME(3)
#endif
#if NA > 3
   TIME(4)
#endif
#if TOKEN
   FORGET(1)
#if NA > 2
   FORGET(2)
#endif
#if NA > 3
   FORGET(3)
#endif
#endif
#if CLASS == Q
   /* The second of the order is hours away: some worker has looked before it comes. */
   :: atomic { ordered && !fired ->
        fired = true;
        assert(live <= 1);                                              /* I1 */
        if :: live==1 -> live = 0 :: skip fi }                          /* the payment may fail */
#endif
   od
}

proctype Approval() {
   if
   :: approved = false
   :: skip                      /* it outlives the line */
   fi
}

proctype Operator() {
   if
   :: atomic { line==ready || line==armed || line==queued -> cancel_requested = true;
#ifdef M_CANCEL_FINAL
        if :: line==armed -> line = canceled; assert(live==0) :: else fi   /* I3 */
#endif
      }
   :: atomic { line==ready -> line = superseded; assert(live==0) }      /* T10, I3 */
   :: skip
   fi
}

#ifdef FOREIGN
proctype Foreign() {
   if
   :: theirs_listed = true
   :: skip
   fi
}
#endif

#ifdef RESTORE
proctype Dba() {
   mtype l; byte g; byte n; bool c; byte b; mtype a1; mtype a2; mtype a3; mtype a4;
   if
   :: atomic {                                      /* the backup */
        l = line; g = generation; n = narmed; c = cancel_requested; b = before;
        a1 = attempt[1]; a2 = attempt[2]; a3 = attempt[3]; a4 = attempt[4] }
      atomic {                                      /* put back */
        generation = g; narmed = n; cancel_requested = c; before = b;
        attempt[1] = a1; attempt[2] = a2; attempt[3] = a3; attempt[4] = a4;
        incarnation++;
#ifdef M_RESTORE_NAIVE
        line = l;
#else
        if
        :: l==purchased || l==failed || l==canceled || l==expired || l==superseded -> line = l
        :: else -> line = recovery                                      /* T14 */
        fi;
#endif
        l = 0; g = 0; n = 0; c = false; b = 0; a1 = 0; a2 = 0; a3 = 0; a4 = 0 }
   :: skip
   fi
}
#endif

/* When nothing can move any more the line has come to an end, and to the right one. */
proctype Monitor() {
   timeout ->
   atomic {
#ifndef NO_I6
      assert(ENDED);                                                    /* I6: never stuck */
#endif
      assert(line!=purchased || live==1);                               /* I2 */
      assert(!NOT_BOUGHT || live==0) }                                  /* I3, I4: never lost */
}

#ifdef LIVE
ltl ends { <> ENDED }
#endif

init { atomic {
   byte n = 0;
   answer[0] = nobody;
   do :: n < NW -> run Worker(); n++ :: else -> break od; n = 0;
   run Cloud(); run World(); run Approval(); run Operator();
#ifdef FOREIGN
   run Foreign();
#endif
#ifdef RESTORE
   run Dba();
#endif
   run Monitor() } }
