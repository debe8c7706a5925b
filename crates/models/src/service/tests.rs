use super::*;

fn url(text: &str) -> Result<String, String> {
    ServiceUrl::parse(text)
        .map(|url| url.to_string())
        .map_err(|refused| refused.0)
}

#[test]
fn a_url_is_shown_in_its_normal_form() {
    assert_eq!(
        url("HTTP://Example.COM").as_deref(),
        Ok("http://example.com/")
    );
    assert_eq!(
        url("https://example.com:443/a#b").as_deref(),
        Ok("https://example.com/a")
    );
    assert_eq!(
        url("https://bücher.example/").as_deref(),
        Ok("https://xn--bcher-kva.example/")
    );
    assert_eq!(
        url("http://2130706433/").as_deref(),
        Ok("http://127.0.0.1/")
    );
    assert_eq!(url("http://0x7f.1/").as_deref(), Ok("http://127.0.0.1/"));
}

#[test]
fn a_refused_url_says_which_rule_it_breaks() {
    for (text, rule) in [
        ("", "empty"),
        ("ftp://x/", "begin with http"),
        ("//x/", "begin with http"),
        ("http:///", "host"),
        ("http:///example.com", "host"),
        ("http://u:p@example.com/", "user name"),
        ("http://example.com:0/", "port"),
        ("http://example.com:65536/", "port"),
        ("http://exa mple.com/", "spaces"),
        ("http://example.com\\@x/", "backslash"),
        ("http://example.com/\u{0}", "control"),
        ("http://example.com/\n", "control"),
    ] {
        let refused = url(text).expect_err(text);
        assert!(refused.contains(rule), "{text}: {refused}");
    }
    let long = format!("http://example.com/{}", "a".repeat(2049 - 19));
    assert!(url(&long).is_err());
    assert!(url(&long[..2048]).is_ok());
}

#[test]
fn an_sla_target_has_at_most_two_decimals() {
    assert_eq!(
        SlaTarget::from_percent(99.9).map(SlaTarget::hundredths),
        Ok(9990)
    );
    assert_eq!(
        SlaTarget::from_percent(100.0).map(SlaTarget::hundredths),
        Ok(10_000)
    );
    assert_eq!(
        SlaTarget::from_percent(0.01).map(SlaTarget::hundredths),
        Ok(1)
    );
    for wrong in [0.0, -1.0, 100.01, 99.999, f64::NAN, f64::INFINITY, 0.001] {
        assert!(SlaTarget::from_percent(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_name_is_trimmed_and_has_no_control_characters() {
    assert_eq!(
        ServiceName::parse("  shop ").map(|name| name.as_str().to_owned()),
        Ok("shop".into())
    );
    for wrong in ["", "   ", "a\u{0}b", "a\nb", "a\u{202e}b", "\u{85}x", "x\n"] {
        assert!(ServiceName::parse(wrong).is_err(), "{wrong:?}");
    }
    assert!(ServiceName::parse(&"ü".repeat(255)).is_ok());
    assert!(ServiceName::parse(&"ü".repeat(256)).is_err());
}
