use super::*;
use proptest::prelude::*;

const ED25519: &str = "YAxbrkmpDv500oxU+79mfoL0Dp0bbHH50xDJpYjPEvs=";

#[test]
fn records_are_read_with_their_restrictions() {
    let read =
        |tags: &str| KeyRecord::read(&format!("v=DKIM1; k=ed25519; {tags}p={ED25519}")).unwrap();
    for (tags, for_ischedule, sha256) in [
        ("", true, true),
        ("s=*; ", true, true),
        ("s=ischedule; ", true, true),
        ("s=email:iSchedule; ", true, true),
        ("s=email; ", false, true),
        ("s=; ", false, true),
        ("h=sha256; ", true, true),
        ("h=sha1 : SHA256; ", true, true),
        ("h=sha1; ", true, false),
    ] {
        let record = read(tags);
        assert_eq!(record.is_for_ischedule(), for_ischedule, "{tags}");
        assert_eq!(record.allows_sha256(), sha256, "{tags}");
    }
    let record = read("t=s:y:z; ");
    assert!(record.testing && record.strict);
    assert!(!read("t=; ").testing);
}

#[test]
fn an_empty_key_is_a_revoked_one() {
    for text in ["v=DKIM1; k=rsa; p=", "p=", "p= ; k=ed25519"] {
        assert_eq!(KeyRecord::read(text).unwrap().key, PublicKey::Revoked);
    }
}

#[test]
fn malformed_records_are_refused() {
    for text in [
        "",
        "v=DKIM1",
        "v=DKIM1; k=rsa",
        "v=spf1 -all",
        "v=dkim1; p=",
        "k=rsa; v=DKIM1; p=",
        "p=!!!",
        "p=AAAA",
        "k=ed25519; p=AAAA",
        "k=none; p=AAAA",
        "p=; p=",
    ] {
        assert!(KeyRecord::read(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_record_is_small_whatever_it_says() {
    let record = |more: &str| format!("v=DKIM1; k=ed25519; {more}p={ED25519}");
    let fill = KeyRecord::MAX - record("n=; ").len();
    assert!(KeyRecord::read(&record(&format!("n={}; ", "x".repeat(fill)))).is_ok());
    let longer = record(&format!("n={}; ", "x".repeat(fill + 1)));
    assert_eq!(KeyRecord::read(&longer), Err(KeyError::TooLong));
    for tag in ["h", "s", "t"] {
        let most = record(&format!(
            "{tag}={}; ",
            ["x"; KeyRecord::MAX_PARTS].join(":")
        ));
        assert!(KeyRecord::read(&most).unwrap().memory() < 3 << 10);
        let more = record(&format!(
            "{tag}={}; ",
            ["x"; KeyRecord::MAX_PARTS + 1].join(":")
        ));
        assert_eq!(KeyRecord::read(&more), Err(KeyError::TooManyParts(tag)));
    }
}

#[test]
fn a_document_holds_a_record_a_line() {
    let text = format!("# our keys\r\n\r\nv=DKIM1; p=\nnonsense\nv=DKIM1; k=ed25519; p={ED25519}");
    let read = KeyRecord::read_document(&text);
    let kinds: Vec<_> = read
        .iter()
        .map(|r| r.as_ref().map(|k| k.key != PublicKey::Revoked))
        .collect();
    assert!(
        matches!(kinds[..], [Ok(false), Err(_), Ok(true)]),
        "{kinds:?}"
    );
    assert_eq!(
        KeyRecord::read_document(&"p=\n".repeat(1000)).len(),
        KeyRecord::MAX_RECORDS
    );
}

#[test]
fn both_forms_of_an_rsa_key_are_the_same_key() {
    let read = |text: &str| KeyRecord::read(&format!("p={text}")).unwrap().key;
    for (bits, spki, pkcs1) in [SHORT, LEAST] {
        assert_eq!(read(spki), read(pkcs1));
        assert!(matches!(read(spki), PublicKey::Rsa { bits: found, .. } if found == bits));
    }
}

/// 768 bits, as `SubjectPublicKeyInfo` and as PKCS#1.
const SHORT: (usize, &str, &str) = (
    768,
    "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhALVIVKtnyRVRapXZKdUt311sEum5M5zITf2/MQllEOpvurJJYDgZoZhhrIc+YEzvzwMifwxLHJu2n12EFAuc0wlEC7jBMFPdEI1iwGZgS+zFuHoPGK8Nt3VrYkO2rYNxJQIDAQAB",
    "MGgCYQC1SFSrZ8kVUWqV2SnVLd9dbBLpuTOcyE39vzEJZRDqb7qySWA4GaGYYayHPmBM788DIn8MSxybtp9dhBQLnNMJRAu4wTBT3RCNYsBmYEvsxbh6DxivDbd1a2JDtq2DcSUCAwEAAQ==",
);
/// 1024 bits, as `SubjectPublicKeyInfo` and as PKCS#1.
const LEAST: (usize, &str, &str) = (
    1024,
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCsjecMUtS51cbqeZYMi2hGXwUSkJ5lfWWi255FJ6Rmtv1iOuYIx8zu3zTgVxPS7+n19KVOIj4fnOPnxmHdEhqeA2daJp56OdwLh6YPbgfz8hL69lYokR/L4Vt31JLpdMVneKrUsx9zdG9ByRsGcrlZDDVFoKy7Nju7cwzXC6xkBwIDAQAB",
    "MIGJAoGBAKyN5wxS1LnVxup5lgyLaEZfBRKQnmV9ZaLbnkUnpGa2/WI65gjHzO7fNOBXE9Lv6fX0pU4iPh+c4+fGYd0SGp4DZ1omnno53AuHpg9uB/PyEvr2ViiRH8vhW3fUkul0xWd4qtSzH3N0b0HJGwZyuVkMNUWgrLs2O7tzDNcLrGQHAgMBAAE=",
);

proptest! {
    #[test]
    fn reading_any_text_terminates(text in "(v=DKIM1; )?(k=(rsa|ed25519); )?([a-z]=[ a-z:*]{0,6};){0,3}(p=[A-Za-z0-9+/=]{0,60})?\\PC{0,5}") {
        if let Ok(record) = KeyRecord::read(&text) {
            let written = record.to_string();
            prop_assert_eq!(KeyRecord::read(&written).unwrap(), record);
        }
    }

    #[test]
    fn reading_any_der_terminates(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = PublicKey::rsa(&bytes);
    }
}
