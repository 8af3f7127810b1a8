use super::*;

const GOOD: &str = "v=1; a=rsa-sha256; c=ischedule-relaxed/simple; d=example.org; s=s1; t=1795395168; x=1795398768; \
    q=private-exchange:http/well-known; h=iSchedule-Version:iSchedule-Message-ID:Originator:Recipient: Content-Type; \
    bh=adfwkh/kc2JNYUh3YhPjRWPlf4LdOSRjoIV/id9xlRc=; b=AAAA BBBB";

#[test]
fn a_field_is_read_into_its_parts() {
    let read = Signature::read(GOOD).unwrap();
    assert_eq!(read.algorithm, Algorithm::RsaSha256);
    assert_eq!(read.domain.as_str(), "example.org");
    assert_eq!(read.identity, read.domain);
    assert_eq!(read.selector, "s1");
    let headers: Vec<_> = read.headers.iter().map(HeaderName::as_str).collect();
    assert_eq!(
        headers,
        [
            "ischedule-version",
            "ischedule-message-id",
            "originator",
            "recipient",
            "content-type"
        ]
    );
    assert_eq!(read.signed_at.unwrap().as_second(), 1_795_395_168);
    assert_eq!(read.expires.unwrap().as_second(), 1_795_398_768);
    assert_eq!(
        read.lookups,
        [Lookup::PrivateExchange, Lookup::HttpWellKnown]
    );
    assert_eq!(read.bytes.len(), 6);
}

#[test]
fn lookups_keep_the_order_of_the_sender() {
    use Lookup::{DnsTxt as Dns, HttpWellKnown as Http, PrivateExchange as Private};
    for (q, lookups) in [
        ("q=dns/txt:http/well-known; ", &[Dns, Http][..]),
        (
            "q=private-exchange : dns/txt:http/well-known; ",
            &[Private, Dns, Http],
        ),
        ("q=DNS/TXT:dns/txt; ", &[Dns]),
        ("q=carrier-pigeon:dns/txt; ", &[Dns]),
        ("q=carrier-pigeon; ", &[]),
        ("", &[Dns]),
    ] {
        let text = GOOD.replace("q=private-exchange:http/well-known; ", q);
        assert_eq!(Signature::read(&text).unwrap().lookups, lookups, "{q}");
    }
}

#[test]
fn a_field_without_what_it_needs_is_refused() {
    for tag in ["v", "a", "c", "d", "s", "h", "bh", "b"] {
        let parts: Vec<_> = GOOD
            .split("; ")
            .filter(|p| !p.starts_with(&format!("{tag}=")))
            .collect();
        let error = Signature::read(&parts.join("; "))
            .expect_err(tag)
            .to_string();
        assert!(error.contains(&format!("`{tag}=`")), "{tag}: {error}");
        let parts: Vec<_> = GOOD
            .split("; ")
            .map(|p| {
                if p.starts_with(&format!("{tag}=")) {
                    format!("{tag}=")
                } else {
                    p.to_owned()
                }
            })
            .collect();
        assert!(
            Signature::read(&parts.join("; ")).is_err(),
            "{tag} is empty"
        );
    }
}

#[test]
fn malformed_tag_values_are_refused() {
    for (old, new) in [
        ("v=1", "v=2"),
        ("d=example.org", "d=exa mple..org"),
        ("d=example.org", "d=../example.org"),
        ("s=s1", "s=../s1"),
        ("t=1795395168", "t=-1"),
        ("t=1795395168", "t=1234567890123"),
        ("t=1795395168", "t=+1795395168"),
        ("x=1795398768", "x=1795395168"),
        ("bh=adfw", "bh=ad"),
        ("bh=adfw", "bh=adf!"),
        ("b=AAAA BBBB", "b=AAAA BBB"),
        ("h=iSchedule-Version", "h=iSchedule Version:"),
        ("Content-Type", "Content-Type:DKIM-Signature"),
        ("Content-Type", "Content-Type:Keep-Alive"),
        ("Content-Type", "Content-Type:"),
    ] {
        let text = GOOD.replacen(old, new, 1);
        assert!(Signature::read(&text).is_err(), "{new}");
    }
}

#[test]
fn times_out_of_range_are_clamped() {
    let text = GOOD.replace("x=1795398768", "x=999999999999");
    assert_eq!(
        Signature::read(&text).unwrap().expires,
        Some(Timestamp::MAX)
    );
}

#[test]
fn written_values_round_trip() {
    let below = Domain::new("cal.example.org").unwrap();
    let read = Signature::read(GOOD).unwrap();
    for signature in [
        read.clone(),
        Signature {
            identity: below,
            expires: None,
            ..read.clone()
        },
        Signature {
            signed_at: None,
            lookups: vec![Lookup::DnsTxt],
            algorithm: Algorithm::Ed25519Sha256,
            ..read
        },
    ] {
        assert_eq!(Signature::read(&signature.to_string()).unwrap(), signature);
    }
}
