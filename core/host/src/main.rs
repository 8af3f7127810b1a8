//! The `convoke` program.

fn main() -> std::process::ExitCode {
    convoke::cli::main()
}
