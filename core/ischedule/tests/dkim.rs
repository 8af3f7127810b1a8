//! Requests signed by other programs, our own signing, and every change on the way that must be noticed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use convoke_ischedule::{
    ContentType, ErrorElement, Recipient, Refusal, RequestHeaders,
    dkim::{
        DKIM_SIGNATURE, Failure, KeyKind, KeyRecord, Lifetime, Lookup, PrivateKey, PrivateKeyError,
        SignError, Signer, Timestamped, Unverified, Verified, txt_strings, zone_text,
    },
    headers::RECIPIENT,
};
use convoke_types::{CalendarAddress, Domain};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::sync::LazyLock;

#[derive(serde::Deserialize)]
struct Vector {
    name: String,
    key_record: String,
    domain: String,
    selector: String,
    now: i64,
    headers: Vec<(String, String)>,
    body: String,
    expect: String,
    why: String,
}

fn check(vector: &Vector) -> Result<Verified, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &vector.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let body = STANDARD.decode(&vector.body).unwrap();
    let now = Timestamp::from_second(vector.now).unwrap();
    let request = Unverified {
        headers: &headers,
        body: &body,
    };
    let pending = request.read(now).map_err(|e| e.to_string())?;
    assert_eq!(pending.domain().as_str(), vector.domain);
    assert_eq!(pending.selector(), vector.selector);
    let key = KeyRecord::read(&vector.key_record).map_err(|e| e.to_string())?;
    pending.verify(&[key]).map_err(|e| e.to_string())
}

#[test]
fn requests_signed_by_other_programs_verify_as_they_should() {
    for (file, count) in [
        (include_str!("data/dkim-vectors.json"), 17),
        (include_str!("data/more-dkim-vectors.json"), 64),
    ] {
        let vectors: Vec<Vector> = serde_json::from_str(file).unwrap();
        assert_eq!(vectors.len(), count);
        for vector in vectors {
            let outcome = check(&vector);
            let Vector { name, why, .. } = &vector;
            match vector.expect.as_str() {
                "pass" => assert!(outcome.is_ok(), "{name} ({why}): {outcome:?}"),
                "fail" => assert!(outcome.is_err(), "{name} ({why}) passed"),
                other => panic!("{name}: expects {other}"),
            }
        }
    }
}

/// The failures of the vectors, by what they say: a right refusal for a wrong reason hides a mistake.
#[test]
fn failures_say_what_is_wrong() {
    let says = [
        ("rsa-768", "768 bits"),
        ("ed25519-under-rsa", "not an RSA public key"),
        ("version-2", "`v=`"),
        ("version-not-first", "first place"),
        ("unknown-kind", "k=ecdsa"),
        ("testing", "t=y"),
        ("hash-sha1", "SHA-256"),
        ("duplicate-tag-in-record", "`p=` stands twice"),
        ("strict-identity-below", "t=s"),
        ("identity-next-door", "`i=`"),
        ("identity-above", "`i=`"),
        ("length", "`l=`"),
        ("duplicate-tag", "`t=` stands twice"),
        ("expired-a-second-ago", "expired"),
        ("expires-before-signed", "`x=`"),
        ("time-is-no-number", "`t=`"),
        ("canonicalisation-of-mail", "`c=`"),
        ("name-twice-in-h", "twice"),
        ("cache-control-signed", "cache-control, which it must not"),
        ("proxy-signed", "proxy-authorization, which it must not"),
        (
            "originator-not-signed",
            "does not cover the field originator",
        ),
        (
            "content-type-not-signed",
            "does not cover the field content-type",
        ),
        (
            "version-not-signed",
            "does not cover the field ischedule-version",
        ),
        ("two-signatures", "more than one"),
        ("sha512", "`a=`"),
        ("line-ends-changed", "body"),
        ("recipients-swapped", "does not verify"),
        ("second-originator", "does not verify"),
        ("absent-field-added", "does not verify"),
        ("from-the-future", "future"),
        ("revoked-key", "revoked"),
        ("wrong-service", "iSchedule"),
        ("rsa-sha1", "`a=`"),
    ];
    let mut vectors: Vec<Vector> =
        serde_json::from_str(include_str!("data/dkim-vectors.json")).unwrap();
    let more: Vec<Vector> =
        serde_json::from_str(include_str!("data/more-dkim-vectors.json")).unwrap();
    vectors.extend(more);
    for (name, says) in says {
        let vector = vectors.iter().find(|v| v.name == name).expect(name);
        let failure = check(vector).expect_err(name);
        assert!(failure.contains(says), "{name}: {failure}");
    }
}

// From here on the requests are our own.

const BODY: &[u8] = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n";

fn now() -> Timestamp {
    Timestamp::from_second(1_795_395_173).unwrap()
}

fn domain(text: &str) -> Domain {
    Domain::new(text).unwrap()
}

fn signer(pem: &str) -> Signer {
    let key = PrivateKey::from_pem(pem).unwrap();
    let lookups = vec![Lookup::HttpWellKnown, Lookup::DnsTxt];
    Signer::new(domain("example.org"), "is1", key, lookups).unwrap()
}

static RSA: LazyLock<Signer> =
    LazyLock::new(|| signer(include_str!("data/keys/openssl-rsa2048.pem")));
static ED25519: LazyLock<Signer> =
    LazyLock::new(|| signer(include_str!("data/keys/openssl-ed25519.pem")));

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).unwrap()
}

fn request(recipients: usize) -> HeaderMap {
    let request = RequestHeaders {
        message_id: Some("m-1".to_owned()),
        originator: address("mailto:anna@example.org"),
        recipients: (0..recipients)
            .map(|n| Recipient::new(address(&format!("mailto:user-{n}@example.com"))))
            .collect(),
        content: ContentType::new("VEVENT", "REQUEST"),
    };
    let mut headers = request.to_headers();
    headers.insert(header::USER_AGENT, HeaderValue::from_static("Convoke"));
    headers
}

fn signed(signer: &Signer, recipients: usize) -> HeaderMap {
    let mut headers = request(recipients);
    signer.sign(&mut headers, BODY, now()).unwrap();
    headers
}

fn verify(headers: &HeaderMap, body: &[u8], keys: &[KeyRecord]) -> Result<Verified, Failure> {
    Unverified { headers, body }.read(now())?.verify(keys)
}

#[test]
fn signatures_round_trip() {
    for signer in [&*RSA, &*ED25519] {
        for recipients in [1, 2, 250] {
            let headers = signed(signer, recipients);
            let pending = Unverified {
                headers: &headers,
                body: BODY,
            };
            let pending = pending.read(now()).unwrap();
            assert_eq!(pending.lookups(), [Lookup::HttpWellKnown, Lookup::DnsTxt]);
            let verified = pending.verify(&[signer.key().record()]).unwrap();
            assert_eq!(verified.domain(), &domain("example.org"));
            assert_eq!(verified.expires(), Some(now() + Signer::LIFETIME));
            for name in ["recipient", "ischedule-message-id", "user-agent"] {
                assert!(verified.signs(&HeaderName::from_static(name)), "{name}");
            }
            assert!(!verified.signs(&header::CACHE_CONTROL));
        }
    }
}

#[test]
fn a_signer_speaks_for_its_domain_and_those_below() {
    let keys = [RSA.key().record()];
    let verified = verify(&signed(&RSA, 1), BODY, &keys).unwrap();
    let strict = [KeyRecord {
        strict: true,
        ..RSA.key().record()
    }];
    let strictly = verify(&signed(&RSA, 1), BODY, &strict).unwrap();
    for (name, covered, strictly_covered) in [
        ("example.org", true, true),
        ("EXAMPLE.ORG.", true, true),
        ("cal.example.org", true, false),
        ("evil-example.org", false, false),
        ("example.org.evil.net", false, false),
        ("org", false, false),
    ] {
        assert_eq!(verified.covers(&domain(name)), covered, "{name}");
        assert_eq!(strictly.covers(&domain(name)), strictly_covered, "{name}");
    }
}

#[test]
fn one_key_of_several_is_enough_and_the_most_telling_failure_is_reported() {
    let headers = signed(&RSA, 1);
    let good = RSA.key().record();
    let other = PrivateKey::generate(KeyKind::Rsa2048).unwrap().record();
    let ed25519 = ED25519.key().record();
    let revoked = KeyRecord::read("v=DKIM1; p=").unwrap();
    let testing = KeyRecord {
        testing: true,
        ..good.clone()
    };
    let other_testing = KeyRecord {
        testing: true,
        ..other.clone()
    };
    for (keys, outcome) in [
        (vec![good.clone()], None),
        (
            vec![
                revoked.clone(),
                ed25519.clone(),
                other.clone(),
                good.clone(),
            ],
            None,
        ),
        (vec![other_testing.clone(), good], None),
        (vec![], Some(Failure::NoKey)),
        (vec![ed25519.clone()], Some(Failure::WrongKind)),
        (vec![ed25519, revoked.clone()], Some(Failure::Revoked)),
        (vec![revoked, other.clone()], Some(Failure::BadSignature)),
        (vec![other, testing], Some(Failure::Testing)),
        (vec![other_testing], Some(Failure::Testing)),
    ] {
        assert_eq!(verify(&headers, BODY, &keys).err(), outcome, "{keys:?}");
    }
}

#[test]
fn only_a_missing_signature_and_a_testing_domain_count_as_not_signed() {
    let failure = verify(&request(1), BODY, &[]).unwrap_err();
    assert_eq!(failure, Failure::NotSigned);
    assert!(failure.is_unsigned() && Failure::Testing.is_unsigned());
    for failure in [Failure::BadSignature, Failure::NoKey, Failure::Several] {
        assert!(!failure.is_unsigned(), "{failure}");
        let refusal = Refusal::from(failure);
        assert_eq!(refusal.element, ErrorElement::VerificationFailed);
        assert_eq!(refusal.status, http::StatusCode::FORBIDDEN);
    }
}

#[test]
fn a_request_without_the_fields_that_must_be_signed_is_not_signed() {
    for name in convoke_ischedule::dkim::REQUIRED {
        let mut headers = request(1);
        headers.remove(&name);
        let error = RSA.sign(&mut headers, BODY, now()).unwrap_err();
        assert_eq!(error, SignError::FieldMissing(name.clone()));
        let mut headers = signed(&RSA, 1);
        headers.remove(&name);
        let failure = verify(&headers, BODY, &[RSA.key().record()]).unwrap_err();
        assert_eq!(failure, Failure::FieldMissing(name));
    }
}

#[test]
fn signatures_are_valid_for_at_least_a_minute() {
    let short = signer(include_str!("data/keys/openssl-ed25519.pem"))
        .lifetime(SignedDuration::from_secs(1));
    let verified = verify(&signed(&short, 1), BODY, &[short.key().record()]).unwrap();
    assert_eq!(verified.expires(), Some(now() + Signer::MIN_LIFETIME));
}

#[test]
fn signing_again_replaces_the_signature() {
    let mut headers = signed(&RSA, 1);
    ED25519.sign(&mut headers, BODY, now()).unwrap();
    assert_eq!(headers.get_all(DKIM_SIGNATURE).iter().count(), 1);
    assert!(verify(&headers, BODY, &[ED25519.key().record()]).is_ok());
}

#[test]
fn selectors_that_need_care_in_names_and_paths_are_refused() {
    for wrong in ["", "a/b", "..", "a..b", ".a", "a b", "ä", &"a".repeat(64)] {
        let key = PrivateKey::from_pem(include_str!("data/keys/openssl-ed25519.pem")).unwrap();
        let signer = Signer::new(domain("example.org"), wrong, key, vec![]);
        assert!(matches!(signer, Err(SignError::Selector(_))), "{wrong:?}");
        let mut headers = signed(&RSA, 1);
        let field = headers[DKIM_SIGNATURE].to_str().unwrap();
        let field = field.replace("s=is1;", &format!("s={wrong};"));
        headers.insert(DKIM_SIGNATURE, HeaderValue::from_str(&field).unwrap());
        let read = Unverified {
            headers: &headers,
            body: BODY,
        };
        // White space within a tag means nothing, so `a b` is read as `ab`.
        assert!(read.read(now()).is_err() || wrong == "a b", "{wrong:?}");
    }
}

#[test]
fn keys_are_generated_written_and_read_back() {
    for kind in [KeyKind::Rsa2048, KeyKind::Rsa3072, KeyKind::Ed25519] {
        let key = PrivateKey::generate(kind).unwrap();
        let pem = key.to_pem().unwrap();
        assert!(pem.lines().all(|line| line.len() <= 64));
        let again = PrivateKey::from_pem(&pem).unwrap();
        assert_eq!(again.record(), key.record());
        let text = key.record().to_string();
        assert_eq!(KeyRecord::read(&text).unwrap(), key.record(), "{text}");
        assert!(text.contains("s=ischedule"));
        assert!(!format!("{key:?}").contains("MII"));
    }
}

#[test]
fn unusable_private_keys_give_a_reason() {
    for (pem, error) in [
        ("", PrivateKeyError::NotPem),
        (
            "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----",
            PrivateKeyError::NotPem,
        ),
        (
            include_str!("data/keys/rsa768.pem"),
            PrivateKeyError::NotPem,
        ), // PKCS#1
        (
            include_str!("data/keys/openssl-rsa1024.pem"),
            PrivateKeyError::Unsuitable,
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            PrivateKeyError::Unsuitable,
        ),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
            PrivateKeyError::Encrypted,
        ),
    ] {
        assert_eq!(PrivateKey::from_pem(pem).unwrap_err(), error);
    }
}

#[test]
fn records_are_published_in_strings_that_dns_can_hold() {
    let record = ED25519.key().record();
    assert_eq!(
        zone_text(&domain("example.org"), "is1", &record),
        "is1._domainkey.example.org. IN TXT \
         \"v=DKIM1; k=ed25519; s=ischedule; p=z6SFM3T0IrIZhOOYelekeNiafmhTMZs4Rcmy2pFX7aw=\""
    );
    let record = RSA.key().record();
    let text = record.to_string();
    let strings: Vec<_> = txt_strings(&text).collect();
    assert_eq!(strings.len(), 2);
    assert!(strings.iter().all(|s| s.len() <= 255));
    assert_eq!(KeyRecord::read(&strings.concat()), Ok(record.clone()));
    let line = zone_text(&domain("example.org"), "is1", &record);
    assert!(line.starts_with("is1._domainkey.example.org. IN TXT ( \"v=DKIM1; k=rsa; "));
    assert!(line.ends_with("\" )"));
}

/// Positions at which a change means something: not where relaxed canonicalisation looks away.
fn changed(text: &str, at: usize, bit: u32) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at % bytes.len();
    bytes[at] ^= 1 << (bit % 7);
    String::from_utf8(bytes)
        .ok()
        .filter(|t| t.bytes().all(|b| (0x21..0x7f).contains(&b)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_flipped_bit_in_a_signed_field_is_detected(which in 0usize..6, at in any::<usize>(), bit in 0u32..7) {
        let names = ["content-type", "ischedule-version", "originator", "recipient", "ischedule-message-id", "user-agent"];
        let name = HeaderName::from_static(names[which]);
        let mut headers = signed(&ED25519, 2);
        let value = headers[&name].to_str().unwrap();
        if let Some(value) = changed(value, at, bit) {
            headers.insert(name, HeaderValue::from_str(&value).unwrap());
            prop_assert!(verify(&headers, BODY, &[ED25519.key().record()]).is_err(), "{}", value);
        }
    }

    #[test]
    fn a_flipped_bit_in_the_body_is_detected(at in 0..BODY.len(), bit in 0u32..8) {
        let mut body = BODY.to_vec();
        body[at] ^= 1 << bit;
        prop_assert_eq!(verify(&signed(&ED25519, 1), &body, &[ED25519.key().record()]).err(), Some(Failure::BodyChanged));
    }

    #[test]
    fn a_flipped_bit_in_the_signature_field_is_detected(at in any::<usize>(), bit in 0u32..7) {
        let mut headers = signed(&ED25519, 1);
        let value = headers[DKIM_SIGNATURE].to_str().unwrap().to_owned();
        if let Some(value) = changed_tag(&value, at, bit) {
            headers.insert(DKIM_SIGNATURE, HeaderValue::from_str(&value).unwrap());
            let outcome = verify(&headers, BODY, &[ED25519.key().record()]);
            prop_assert!(outcome.is_err(), "{}", value);
        }
    }

    #[test]
    fn whitespace_added_by_proxies_keeps_the_signature_valid(before in "[ \t]{0,3}", after in "[ \t]{0,3}", around in "[ \t]{0,3}") {
        let mut headers = signed(&ED25519, 3);
        for (name, value) in &mut headers {
            if name == RECIPIENT {
                let text = value.to_str().unwrap().replace(',', &format!("{around},{around}"));
                *value = HeaderValue::from_str(&format!("{before}{text}{after}")).unwrap();
            }
        }
        prop_assert!(verify(&headers, BODY, &[ED25519.key().record()]).is_ok());
    }

    #[test]
    fn reading_any_signature_field_terminates(text in "(v=1; )?(a=(rsa|ed25519)-sha256; )?(c=ischedule-relaxed/simple; )?[a-z=:; .0-9/+\\t]{0,80}") {
        let mut headers = request(1);
        headers.insert(DKIM_SIGNATURE, HeaderValue::from_str(&text).unwrap());
        prop_assert!(verify(&headers, BODY, &[]).is_err());
    }
}

/// Flips a bit anywhere in the field but in its white space.
fn changed_tag(text: &str, at: usize, bit: u32) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at % bytes.len();
    if bytes[at] == b' ' {
        return None;
    }
    bytes[at] ^= 1 << bit;
    let visible = (0x21..0x7f).contains(&bytes[at]);
    String::from_utf8(bytes).ok().filter(|_| visible)
}

/// Spec §9: a signature lives at most so long from `t=` on, whatever `x=` says.
#[test]
fn the_receiver_limits_the_lifetime_of_signatures() {
    let (hour, day) = (
        SignedDuration::from_hours(1),
        SignedDuration::from_hours(24),
    );
    let lifetime = Lifetime {
        max_age: hour,
        timestamp: Timestamped::Required,
    };
    let long = signer(include_str!("data/keys/openssl-ed25519.pem")).lifetime(day);
    let second = SignedDuration::from_secs(1);
    for (signer, at, dies) in [
        (&*ED25519, now(), Ok(now() + Signer::LIFETIME)),
        (&long, now(), Ok(now() + hour)),
        (&long, now() + hour, Ok(now() + hour)),
        (
            &long,
            now() + hour + second,
            Err(Failure::TooOld {
                made: now(),
                now: now() + hour + second,
            }),
        ),
    ] {
        let headers = signed(signer, 1);
        let request = Unverified {
            headers: &headers,
            body: BODY,
        };
        let pending = request.read(at).unwrap().within(lifetime, at);
        let verified = pending.and_then(|it| it.verify(&[signer.key().record()]));
        assert_eq!(verified.map(|it| it.expires().unwrap()), dies);
    }
}

#[test]
fn a_signature_without_a_time_is_taken_only_where_that_is_allowed() {
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("data/more-dkim-vectors.json")).unwrap();
    let vector = vectors.iter().find(|it| it.name == "plain").unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in &vector.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let body = STANDARD.decode(&vector.body).unwrap();
    let within = |timestamp| {
        let lifetime = Lifetime {
            max_age: SignedDuration::from_hours(1),
            timestamp,
        };
        let request = Unverified {
            headers: &headers,
            body: &body,
        };
        let key = KeyRecord::read(&vector.key_record).unwrap();
        let pending = request.read(now()).unwrap().within(lifetime, now())?;
        pending.verify(&[key])
    };
    assert_eq!(within(Timestamped::Optional).unwrap().expires(), None);
    assert_eq!(
        within(Timestamped::Required).unwrap_err(),
        Failure::NoTimestamp
    );
}
