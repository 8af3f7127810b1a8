//! What `examples/monitoring` watches is there to be watched.

use convoke_tests::{Post, Setup};
use std::{collections::BTreeSet, fs, path::Path};

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";

#[test]
fn what_the_samples_name_is_shown() {
    let away = "plugin = \"discovery-static\"\nconfig.domains.\"away.example\" = \"https://127.0.0.1:1/ischedule\"";
    let host = Setup::new()
        .users(&[BO])
        .table("[[discovery]]", away)
        .start();
    host.post(&Post::invitation("watched", ANNA, &[BO]));
    host.post(&Post::free_busy(ANNA, &[BO]).with("Originator", ""));
    host.submit(&Post::free_busy(BO, &["cy@away.example"]));
    let page = host.get("admin", "/metrics").body;
    let series = page.lines().filter(|line| !line.starts_with('#'));
    let shown: BTreeSet<&str> = series.flat_map(metrics).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/monitoring");
    for (file, least) in [("alerts.yml", 12), ("dashboard.json", 15)] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let named: BTreeSet<&str> = metrics(&text).collect();
        assert!(named.len() >= least, "{file} names {named:?}");
        for name in named {
            // Words may name a histogram as a whole.
            let is_there = shown.contains(name) || shown.contains(&*format!("{name}_bucket"));
            assert!(is_there, "{file} names {name}, which is not in\n{page}");
        }
    }
}

/// The names of metrics in a text.
fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words.filter(|it| it.starts_with("convoke_") || it.starts_with("process_"))
}
