//! What tests that cross crates share.

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
