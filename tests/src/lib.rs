//! What tests that cross crates share.
//!
//! | name | what it is |
//! | --- | --- |
//! | [`plugin_file`], [`plugin_directory`], [`plugin_program`], [`program`] | plugins and the program as cargo built them |
//! | [`Setup`], [`Host`] | the real program with real plugins, in a folder of its own |
//! | [`Peer`], [`Post`], [`Answer`] | another server: raw HTTP over TLS, with no code of ours |
//! | [`MailServer`], [`TakenMail`] | an SMTP server, as well or badly behaved as a test wants it |
//! | [`NameServer`] | DNS that a test fills and breaks |
//! | [`Authority`], [`Credentials`] | certificates that only one test trusts |

mod answer;
mod authority;
mod dns;
mod host;
mod mail_server;
mod peer;
mod post;

pub use answer::{Answer, Status};
pub use authority::{Authority, Credentials, write_private};
pub use dns::{Broken, NameServer};
pub use host::{Host, Setup};
pub use mail_server::{Behaviour, CLOSE, ENDLESS, HELD, MailServer, TakenMail};
pub use peer::{Peer, tls_config};
pub use post::Post;

use std::{
    env,
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    path::PathBuf,
};

/// The library of the plugin `name` (`store-sqlite`), as cargo built it for the running test.
///
/// The plugin's crate must be among the dev-dependencies of this package: that is what makes cargo build it.
///
/// # Panics
///
/// If it is not there.
pub fn plugin_file(name: &str) -> PathBuf {
    let file = plugin_directory().join(format!(
        "{DLL_PREFIX}convoke_{}{DLL_SUFFIX}",
        name.replace('-', "_")
    ));
    assert!(
        file.exists(),
        "{} is not built: name its crate in tests/Cargo.toml",
        file.display()
    );
    file
}

/// Where cargo puts the libraries that tests depend on: beside the test's own program.
///
/// # Panics
///
/// If the system does not say where the running program lies.
pub fn plugin_directory() -> PathBuf {
    let program = env::current_exe().expect("the system knows the running program");
    let directory = program.parent().expect("a program lies in a folder");
    directory.to_owned()
}

/// The `convoke` program, as cargo built it for the running test (`tests/examples/convoke-under-test.rs`).
///
/// # Panics
///
/// If it is not there: `cargo test --test NAME` alone does not build it.
pub fn program() -> PathBuf {
    example("convoke-under-test")
}

/// A plugin that is a program, and misbehaves (`tests/examples/process-under-test.rs`).
///
/// # Panics
///
/// As [`program`].
pub fn plugin_program() -> PathBuf {
    example("process-under-test")
}

fn example(name: &str) -> PathBuf {
    let examples = plugin_directory().join("../examples");
    let file = examples.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(
        file.exists(),
        "{} is not built: run `cargo test -p convoke-tests`, or `cargo build -p convoke-tests --examples` before one test",
        file.display()
    );
    file
}
