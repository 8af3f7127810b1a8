//! The fuzz targets, briefly, on stable: over the seeds, mutations of the seeds, and random bytes.

#[path = "../fuzz/targets.rs"]
mod targets;

use proptest::{prelude::*, test_runner::TestRunner};
use std::{fs, path::Path};

type Target = fn(&[u8]);

const TARGETS: &[(&str, Target)] = &[
    ("tag_list", targets::tag_list),
    ("key_record", targets::key_record),
    ("canonicalisation", targets::canonicalisation),
    ("request_headers", targets::request_headers),
    ("content_type", targets::content_type),
    ("xml", targets::xml),
    ("calendar", targets::calendar),
    ("message", targets::message),
    ("mail", targets::mail),
    ("lmtp", targets::lmtp),
    ("caldav", targets::caldav),
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let seeds: Vec<_> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{target} has seeds");
    seeds
}

#[test]
fn no_seed_breaks_a_target() {
    for (name, target) in TARGETS {
        for seed in seeds(name) {
            target(&seed);
        }
    }
}

#[test]
fn no_mutated_seed_breaks_a_target() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        let edits =
            prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6);
        let mutated =
            (prop::sample::select(seeds), edits).prop_map(|(seed, edits)| mutate(seed, &edits));
        run(*target, &mutated);
    }
}

#[test]
fn no_random_bytes_break_a_target() {
    for (_, target) in TARGETS {
        run(*target, &prop::collection::vec(any::<u8>(), 0..100));
    }
}

fn run(target: Target, bytes: &impl Strategy<Value = Vec<u8>>) {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(1000));
    let outcome = runner.run(bytes, |bytes| {
        target(&bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
}

/// Overwrites, inserts, deletes and repeats.
fn mutate(mut bytes: Vec<u8>, edits: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (at, byte, kind) in edits {
        let at = at.index(bytes.len() + 1);
        match kind {
            0 if at < bytes.len() => bytes[at] = *byte,
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, *byte),
            _ => {
                let end = bytes.len().min(at + usize::from(*byte));
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}
