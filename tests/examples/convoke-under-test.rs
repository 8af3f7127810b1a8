//! The `convoke` program, for tests.
//!
//! Cargo gives a test the programs of its own package only, and a second program among the default members would leave
//! `cargo run` without an answer to which one is meant. Examples are built before tests run, and are in nobody's way.

fn main() -> std::process::ExitCode {
    convoke::cli::main()
}
