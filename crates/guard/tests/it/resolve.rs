//! What a lookup may give: judged addresses or a typed reason.

use guard::{CheckedAddr, Policy, ResolveError, Resolver, judge_text};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use tokio::net::TcpListener;

use crate::name_server::{Answer, NameServer};
use crate::{policy, soon};

async fn resolve(
    server: &NameServer,
    url: &str,
    policy: &Policy,
) -> Result<Vec<String>, ResolveError> {
    let resolver = Resolver::with_name_server(server.addr).unwrap();
    let (_, target) = judge_text(url, policy).unwrap();
    let addrs = resolver.resolve(&target, policy, soon()).await?;
    Ok(addrs
        .into_iter()
        .map(CheckedAddr::socket_addr)
        .map(|addr| addr.to_string())
        .collect())
}

#[tokio::test]
async fn both_families_are_asked_once_and_every_answer_is_kept() {
    let server =
        NameServer::start(|_, _| Answer::Ips(vec!["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111"]))
            .await;
    let addrs = resolve(&server, "https://Example.COM/", &Policy::public_only())
        .await
        .unwrap();
    assert_eq!(
        addrs,
        ["[2606:4700:4700::1111]:443", "1.1.1.1:443", "8.8.8.8:443"]
    );
    let mut asked = server.asked();
    asked.sort();
    let name = "example.com.".to_owned(); // the root dot: no search domain
    assert_eq!(
        asked,
        [(name.clone(), RecordType::A), (name, RecordType::AAAA)]
    );
}

#[tokio::test]
async fn d05_a_name_that_leads_to_a_private_address_is_blocked_without_a_packet() {
    let canary = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = NameServer::start(|_, _| Answer::Ips(vec!["127.0.0.1"])).await;
    let url = format!(
        "http://example.com:{}/",
        canary.local_addr().unwrap().port()
    );
    let blocked = resolve(&server, &url, &Policy::public_only()).await;
    assert!(
        matches!(blocked, Err(ResolveError::Blocked(_))),
        "{blocked:?}"
    );
    assert_eq!(
        blocked.unwrap_err().to_string(),
        "the name leads to a blocked destination",
        "no address is told"
    );
    let came = tokio::time::timeout(std::time::Duration::from_millis(50), canary.accept()).await;
    assert!(came.is_err(), "a packet went out");
}

#[tokio::test]
async fn d06_one_private_answer_refuses_the_whole_name_wherever_it_stands() {
    for ips in [
        vec!["1.1.1.1", "10.0.0.5"],
        vec!["10.0.0.5", "1.1.1.1"],
        vec!["1.1.1.1", "::1"],
        vec!["1.1.1.1", "::ffff:8.8.8.8"],
    ] {
        let script = ips.clone();
        let server = NameServer::start(move |_, _| Answer::Ips(script.clone())).await;
        let blocked = resolve(&server, "http://example.com/", &Policy::public_only()).await;
        assert!(
            matches!(blocked, Err(ResolveError::Blocked(_))),
            "{ips:?} gave {blocked:?}"
        );
    }
}

#[tokio::test]
async fn of_two_failures_the_more_telling_one_is_reported() {
    let (fine, broken) = (ResponseCode::NoError, ResponseCode::ServFail);
    for (v4, v6, expected) in [
        (fine, broken, ResolveError::ServFail),
        (broken, fine, ResolveError::ServFail),
        (fine, ResponseCode::NXDomain, ResolveError::NxDomain),
        (ResponseCode::NXDomain, fine, ResolveError::NxDomain),
    ] {
        let server = NameServer::start(move |_, _| Answer::Codes(v4, v6)).await;
        let found = resolve(&server, "http://example.com/", &Policy::public_only()).await;
        assert_eq!(found, Err(expected), "{v4} {v6}");
    }
}

#[tokio::test]
async fn d07_a_name_is_looked_up_once_so_a_second_answer_never_counts() {
    let server =
        NameServer::start(|_, n| Answer::Ips(vec![if n == 0 { "1.1.1.1" } else { "127.0.0.1" }]))
            .await;
    let resolver = Resolver::with_name_server(server.addr).unwrap();
    let policy = Policy::public_only();
    let (_, target) = judge_text("http://example.com/", &policy).unwrap();
    let found = resolver.resolve(&target, &policy, soon()).await.unwrap();
    let found: Vec<_> = found.into_iter().map(CheckedAddr::socket_addr).collect();
    assert_eq!(found, ["1.1.1.1:80".parse().unwrap()]);
    let asked = server.asked();
    let for_v4 = asked.iter().filter(|(_, kind)| *kind == RecordType::A);
    assert_eq!(for_v4.count(), 1);
    // The next probe looks again (nothing is kept) and is refused.
    let again = resolver.resolve(&target, &policy, soon()).await;
    assert!(matches!(again, Err(ResolveError::Blocked(_))), "{again:?}");
}

#[tokio::test]
async fn each_failure_of_a_lookup_has_its_own_name() {
    let server = NameServer::start(|name, _| match name {
        "gone.example.com." => Answer::Code(ResponseCode::NXDomain),
        "broken.example.com." => Answer::Code(ResponseCode::ServFail),
        "refusing.example.com." => Answer::Code(ResponseCode::Refused),
        "silent.example.com." => Answer::Silence,
        "long.example.com." => Answer::Aliases(guard::MAX_CNAMES + 1, "1.1.1.1"),
        _ => Answer::Ips(vec![]),
    })
    .await;
    let failure = async |host: &str| {
        resolve(&server, &format!("http://{host}/"), &Policy::public_only())
            .await
            .unwrap_err()
    };
    assert_eq!(failure("gone.example.com").await, ResolveError::NxDomain);
    assert_eq!(failure("broken.example.com").await, ResolveError::ServFail);
    assert_eq!(
        failure("refusing.example.com").await,
        ResolveError::ServFail
    );
    assert_eq!(failure("silent.example.com").await, ResolveError::Timeout);
    assert_eq!(failure("long.example.com").await, ResolveError::ServFail);
    assert_eq!(failure("empty.example.com").await, ResolveError::NoAddress);
}

#[tokio::test]
async fn a_family_that_stays_silent_does_not_hold_up_the_other() {
    for ip in ["1.1.1.1", "2606:4700:4700::1111"] {
        let server = NameServer::start(move |_, _| Answer::OneFamily(ip)).await;
        let found = resolve(&server, "http://example.com/", &Policy::public_only()).await;
        assert_eq!(
            found.unwrap().len(),
            1,
            "before the 2 s that a question may take"
        );
    }
}

#[tokio::test]
async fn an_alias_chain_within_bounds_is_followed() {
    let server = NameServer::start(|_, _| Answer::Aliases(guard::MAX_CNAMES, "1.1.1.1")).await;
    assert_eq!(
        resolve(&server, "http://example.com/", &Policy::public_only())
            .await
            .unwrap(),
        ["1.1.1.1:80"]
    );
}

#[tokio::test]
async fn many_answers_are_cut_but_all_are_judged() {
    const MANY: [&str; 40] = ["1.1.1.1"; 40];
    let server = NameServer::start(|name, _| match name {
        "many.example.com." => Answer::Ips(MANY.to_vec()),
        _ => Answer::Ips(MANY.iter().copied().chain(["10.0.0.1"]).collect()),
    })
    .await;
    let kept = resolve(&server, "http://many.example.com/", &Policy::public_only()).await;
    assert_eq!(kept.unwrap().len(), guard::MAX_ANSWERS);
    let hidden = resolve(
        &server,
        "http://hidden.example.com/",
        &Policy::public_only(),
    )
    .await;
    assert!(matches!(hidden, Err(ResolveError::Blocked(_))));
}

#[tokio::test]
async fn a_local_name_is_looked_up_only_where_something_local_is_opened() {
    let server = NameServer::start(|_, _| Answer::Ips(vec!["10.1.0.7", "10.2.0.7"])).await;
    let opened = policy("10.1.0.0/16");
    assert!(judge_text("http://shop/", &Policy::public_only()).is_err());
    assert_eq!(
        resolve(&server, "http://shop/", &opened).await.unwrap(),
        ["10.1.0.7:80"],
        "only allowed answers pass"
    );
    assert!(matches!(
        resolve(&server, "http://shop/", &policy("10.9.0.0/16")).await,
        Err(ResolveError::Blocked(_))
    ));
    assert!(matches!(
        resolve(&server, "http://shop.example.com/", &opened).await,
        Err(ResolveError::Blocked(_))
    ));
    let local = resolve(&server, "http://localhost:8080/", &policy("127.0.0.1:8080")).await;
    assert_eq!(local.unwrap(), ["127.0.0.1:8080"]);
}

#[tokio::test]
async fn name_servers_that_answer_anything_are_there_and_those_that_fail_or_are_silent_are_not() {
    let reach = async |answer: Answer| {
        let server = NameServer::start(move |_, _| answer.clone()).await;
        let resolver = Resolver::with_name_server(server.addr).unwrap();
        resolver.reach(soon()).await
    };
    assert_eq!(reach(Answer::Code(ResponseCode::NXDomain)).await, Ok(()));
    assert_eq!(reach(Answer::Ips(vec![])).await, Ok(()));
    for code in [ResponseCode::ServFail, ResponseCode::Refused] {
        let answer = reach(Answer::Code(code)).await;
        assert_eq!(answer, Err(ResolveError::ServFail), "{code}");
    }
    assert_eq!(reach(Answer::Silence).await, Err(ResolveError::Timeout));
}

#[test]
fn only_names_that_this_machine_does_not_know_are_asked_for() {
    let opened = policy("10.0.0.0/8, 127.0.0.0/8");
    let system = Resolver::from_system().unwrap();
    let must_ask = |url: &str| system.must_ask(&judge_text(url, &opened).unwrap().1);
    assert!(must_ask("https://example.com/"));
    assert!(must_ask("http://nobody-knows.internal/"));
    assert!(!must_ask("http://localhost/"));
    assert!(!must_ask("http://127.0.0.1/"));
}
