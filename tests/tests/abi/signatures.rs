//! Only what a trusted key signed is run, and what was looked at is what is run.

use crate::world::{address, discovery, setup};
use convoke_plugin_host::{PluginEntry, Plugins, Setup};
use convoke_sdk::{
    Discovered,
    remote::{Candidate, TrustedKey},
};
use convoke_tests::plugin_file;
use minisign::KeyPair;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A vendor with a key, and a folder into which its plugins are installed.
struct Vendor {
    pair: KeyPair,
    folder: TempDir,
}

impl Vendor {
    fn new() -> Self {
        Self {
            pair: KeyPair::generate_unencrypted_keypair().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn key(&self) -> TrustedKey {
        TrustedKey::from_text(&self.pair.pk.to_base64()).unwrap()
    }

    /// Installs a plugin as `acme.so`, with no signature.
    fn install(&self, plugin: &str) -> PathBuf {
        let file = self.folder.path().join("acme.so");
        // As a package manager does: the old file, which may be running, is not written to.
        let _ = fs::remove_file(&file);
        fs::copy(plugin_file(plugin), &file).unwrap();
        file
    }

    fn sign(&self, file: &Path) {
        let data = io::Cursor::new(fs::read(file).unwrap());
        let text = minisign::sign(
            Some(&self.pair.pk),
            &self.pair.sk,
            data,
            Some("acme 1"),
            None,
        );
        fs::write(signature_of(file), text.unwrap().to_string()).unwrap();
    }
}

fn signature_of(file: &Path) -> PathBuf {
    file.with_file_name("acme.so.minisig")
}

fn trusting(keys: Vec<TrustedKey>, file: &Path) -> Setup {
    Setup {
        trusted_keys: keys,
        ..setup(vec![entry(file)])
    }
}

fn entry(file: &Path) -> PluginEntry {
    discovery(file.to_str().unwrap(), "")
}

async fn refused(setup: &Setup) -> String {
    let errors = Plugins::open(setup).await.err().expect("it is refused");
    errors.to_string()
}

#[tokio::test]
async fn only_what_a_trusted_key_signed_is_run() {
    let (acme, other) = (Vendor::new(), Vendor::new());
    let file = acme.install("test-sample");
    let trusts_acme = trusting(vec![other.key(), acme.key()], &file);
    let sentence = refused(&trusts_acme).await;
    assert!(
        sentence.contains(
            "acme.so: is not signed, and `server.trusted_keys` asks for it: there is no /"
        ) && sentence.contains("acme.so.minisig; get the signature"),
        "{sentence}"
    );

    acme.sign(&file);
    assert!(Plugins::open(&trusts_acme).await.is_ok());

    let sentence = refused(&trusting(vec![other.key()], &file)).await;
    let expected = format!(
        "is signed with the key {}, which is not among `server.trusted_keys`; if you trust its owner, add the key",
        acme.key().id()
    );
    assert!(sentence.ends_with(&expected), "{sentence}");

    // Another version of the file under the old signature.
    acme.install("test-fixed");
    let sentence = refused(&trusts_acme).await;
    let expected = format!("acme.so: is not what {} signed: /", acme.key());
    assert!(
        sentence.contains(&expected)
            && sentence.ends_with("install the file and the signature again, both of one version"),
        "{sentence}"
    );

    fs::write(signature_of(&file), "Dear colleague,").unwrap();
    let sentence = refused(&trusts_acme).await;
    assert!(
        sentence.contains("has no readable signature: /")
            && sentence.ends_with("get it from the plugin's vendor again"),
        "{sentence}"
    );

    acme.install("test-sample");
    assert!(
        Plugins::open(&trusting(Vec::new(), &file)).await.is_ok(),
        "nobody asks who signed it"
    );
}

#[tokio::test]
async fn what_was_looked_at_is_what_runs() {
    let acme = Vendor::new();
    let file = acme.install("test-sample");
    acme.sign(&file);
    let trust = trusting(vec![acme.key()], &file).trust();
    let candidate = Candidate::look(&file).unwrap();
    candidate.check(&trust, None).unwrap();
    // Between the look and the load the file becomes another one.
    acme.install("test-fixed");
    let library = candidate.load().unwrap();
    assert!(
        library.root.open_store().is_some(),
        "the sample offers a store, the other one does not"
    );
}

#[tokio::test]
async fn a_file_may_be_overwritten_while_its_library_runs() {
    let acme = Vendor::new();
    let file = acme.install("test-sample");
    let plugins = Plugins::open(&setup(vec![entry(&file)])).await.unwrap();
    fs::write(&file, "Dear colleague,").unwrap();
    let anna = address("anna@example.com");
    let found = plugins.discovery.discover(&anna).await;
    assert_eq!(found, Ok(Discovered::NotMine));
}

#[tokio::test]
async fn a_new_version_at_the_same_place_is_a_library_of_its_own() {
    let acme = Vendor::new();
    let file = acme.install("test-sample");
    let old = Plugins::open(&setup(vec![entry(&file)])).await.unwrap();
    acme.install("test-fixed");
    let config = "domains.'example.com' = 'https://cal.example.com/'";
    let fixed = discovery(file.to_str().unwrap(), config);
    let new = Plugins::open(&setup(vec![fixed])).await.unwrap();
    let anna = address("anna@example.com");
    assert_eq!(old.discovery.discover(&anna).await, Ok(Discovered::NotMine));
    assert!(matches!(
        new.discovery.discover(&anna).await,
        Ok(Discovered::Receivers(_))
    ));
}
