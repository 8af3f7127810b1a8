//! What `--version` says: the version alone is what `-V` says.

use convoke_sdk::remote::ABI_VERSION;
use std::sync::LazyLock;

/// Version, commit as far as it is known (`build.rs`), and the interface to plugins.
pub(super) static LONG: LazyLock<String> =
    LazyLock::new(|| long(env!("CARGO_PKG_VERSION"), option_env!("CONVOKE_COMMIT")));

fn long(version: &str, commit: Option<&str>) -> String {
    let commit = commit.unwrap_or("not known");
    format!("{version}\ncommit: {commit}\nplugin interface: {ABI_VERSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_said_if_it_is_known() {
        let said = long("1.2.3", Some("0123456789ab"));
        assert!(said.starts_with("1.2.3\ncommit: 0123456789ab\nplugin interface: 1."));
        assert!(long("1.2.3", None).contains("\ncommit: not known\n"));
    }
}
