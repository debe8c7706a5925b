use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::poll;

use super::*;
use crate::pace::SLOW_AFTER;

#[tokio::test(start_paused = true)]
async fn a_key_has_its_own_limit_and_leaves_nothing_behind() {
    let limit = KeyedLimit::new(2);
    let quick = || Pace::Quick;
    let (one, two) = (limit.enter("a", quick).await, limit.enter("a", quick).await);
    assert!(limit.try_enter("a", Pace::Quick).is_none());
    assert!(
        limit.try_enter("b", Pace::Quick).is_some(),
        "another key is not held up"
    );
    let mut first = Box::pin(limit.enter("a", quick));
    let mut second = Box::pin(limit.enter("a", quick));
    let mut gone = Box::pin(limit.enter("a", quick));
    assert!(poll!(&mut first).is_pending());
    assert!(poll!(&mut second).is_pending());
    assert!(poll!(&mut gone).is_pending());
    drop(one);
    assert!(poll!(&mut second).is_pending(), "in order of asking");
    let three = first.await;
    drop(two);
    let four = second.await;
    drop((three, four, gone));
    assert!(lock(&limit.keys).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_place_that_becomes_free_goes_to_the_quickest_who_waits() {
    let limit = KeyedLimit::new(4);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(limit.enter("a", || Pace::Quick).await);
    }
    let mut slow = Box::pin(limit.enter("a", || Pace::Slow));
    let mut new = Box::pin(limit.enter("a", || Pace::New));
    let mut quick = Box::pin(limit.enter("a", || Pace::Quick));
    assert!(poll!(&mut slow).is_pending());
    assert!(poll!(&mut new).is_pending());
    assert!(poll!(&mut quick).is_pending());
    held.pop();
    assert!(poll!(&mut slow).is_pending());
    assert!(poll!(&mut new).is_pending());
    let std::task::Poll::Ready(turn) = poll!(&mut quick) else {
        panic!("not at once");
    };
    drop(turn);
    assert!(poll!(&mut slow).is_pending());
    assert!(poll!(&mut new).is_ready());
}

#[tokio::test(start_paused = true)]
async fn who_asks_later_does_not_overtake_who_waits_at_the_same_pace() {
    let limit = KeyedLimit::new(8);
    let new = || Pace::New;
    let held = [limit.enter("a", new).await, limit.enter("a", new).await];
    let mut waiting = Box::pin(limit.enter("a", new));
    assert!(poll!(&mut waiting).is_pending(), "two are young");
    tokio::time::advance(SLOW_AFTER).await;
    assert!(limit.try_enter("a", Pace::New).is_none(), "somebody waits");
    assert!(limit.try_enter("a", Pace::Quick).is_some());
    drop((waiting.await, held));
}

#[tokio::test(start_paused = true)]
async fn who_waits_as_new_and_turns_out_slow_makes_way() {
    let limit = KeyedLimit::new(8);
    let is_known = AtomicBool::new(false);
    let dead = || match is_known.load(Ordering::Relaxed) {
        true => Pace::Slow,
        false => Pace::New,
    };
    let mut running = Vec::new();
    for _ in 0..2 {
        running.push(limit.enter("a", dead).await);
    }
    let mut waiting: Vec<_> = (0..20).map(|_| Box::pin(limit.enter("a", dead))).collect();
    for one in &mut waiting {
        assert!(poll!(one).is_pending());
    }
    let healthy = limit.enter("a", || Pace::New);
    tokio::pin!(healthy);
    assert!(poll!(&mut healthy).is_pending(), "nobody knows yet");
    is_known.store(true, Ordering::Relaxed);
    let asked = Instant::now();
    let turns = futures_util::future::join_all(waiting.into_iter().map(|one| async {
        let turn = one.await;
        tokio::time::sleep(Duration::from_secs(10)).await; // dead
        drop(turn);
    }));
    tokio::select! {
        _turn = healthy => {}
        _all = turns => panic!("the dead came first"),
    }
    assert!(asked.elapsed() <= SLOW_AFTER + LOOK_AGAIN);
    drop(running);
}
