//! What an operator opens and closes.

use crate::{AllowRule, Policy, Refusal, judge_text};

fn opened(rules: &str) -> Policy {
    Policy::allowing(AllowRule::parse_list(rules).unwrap())
}

#[test]
fn a_rule_opens_its_network_its_port_and_local_names_and_nothing_else() {
    let policy = opened("127.0.0.1:5432 10.1.0.0/16");
    let judge = |text: &str| judge_text(text, &policy);
    assert!(
        judge("http://127.0.0.1:5432/").is_ok(),
        "a rule with a port overrides the port list"
    );
    assert!(matches!(
        judge("http://127.0.0.1:8080/"),
        Err(Refusal::Address { .. })
    ));
    assert!(judge("http://10.1.2.3:8080/").is_ok());
    assert!(
        matches!(
            judge("http://10.1.2.3:5432/"),
            Err(Refusal::Port { port: 5432 })
        ),
        "the port list stays for a network"
    );
    assert!(matches!(
        judge("http://10.2.0.1/"),
        Err(Refusal::Address { .. })
    ));
    assert!(judge("http://localhost:8080/").is_ok() && judge("http://printer.local/").is_ok());
    assert!(
        matches!(judge("http://metadata/"), Err(Refusal::Name { .. })),
        "metadata names stay refused"
    );
    assert!(judge("http://8.8.8.8/").is_ok());
}

#[test]
fn what_an_operator_closes_stays_closed_and_his_own_names_are_refused() {
    let policy = opened("10.0.0.0/8 10.9.0.1:8443")
        .denying(vec![
            "10.9.0.0/16".parse().unwrap(),
            "2606:4700::/32".parse().unwrap(),
        ])
        .with_own_names(["DB.example.com.".to_owned(), "broker".to_owned()]);
    let judge = |text: &str| judge_text(text, &policy);
    assert!(judge("http://10.8.0.1/").is_ok());
    for closed in ["http://10.9.0.1/", "http://10.9.0.1:8443/"] {
        assert!(matches!(judge(closed), Err(Refusal::Address { .. })));
    }
    assert!(matches!(
        judge("http://[2606:4700:4700::1111]/"),
        Err(Refusal::Address { .. })
    ));
    assert!(matches!(
        judge("http://db.example.com/"),
        Err(Refusal::Name { .. })
    ));
    assert!(matches!(judge("http://broker/"), Err(Refusal::Name { .. })));
    assert!(matches!(
        judge("http://replica.DB.example.com./"),
        Err(Refusal::Name { .. })
    ));
    assert!(judge("http://notdb.example.com/").is_ok());
    assert!(judge("http://example.com/").is_ok());
}
