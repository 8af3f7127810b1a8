//! The `convoke` program, for tests: cargo builds the programs of a test's own package only.

fn main() -> std::process::ExitCode {
    convoke::cli::main()
}
