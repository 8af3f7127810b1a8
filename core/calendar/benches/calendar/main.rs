//! How fast the crate is: `cargo bench -p convoke-calendar`. Figures of one machine stand in README.md.

mod crowd;
mod samples;
mod scheduling;
mod tree;

fn main() {
    divan::main();
}
