use crate::workshop::{Workshop, root, succeed, target};
use std::fmt::Write;

/// Every line of `sdk/README.md` that somebody would type or write into a file, in its order: `sh` blocks are run, other
/// blocks are the files that the line before them names.
fn script(text: &str) -> String {
    let mut script = "set -eu\n".to_owned();
    let mut before = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```").filter(|it| !it.is_empty()) else {
            before = if line.is_empty() { before } else { line };
            continue;
        };
        let block: Vec<_> = (&mut lines).take_while(|line| *line != "```").collect();
        let block = block.join("\n");
        match language {
            "sh" => {
                writeln!(script, "{block}").unwrap();
                if block.contains("\ncd ") {
                    // Where the build goes, and which versions it takes, is ours to say.
                    let lock = root().join("Cargo.lock");
                    let (target, lock) = (target(), lock.display());
                    writeln!(script, "ln -s {} target; cp {lock} .", target.display()).unwrap();
                }
            }
            "text" => {}
            _ => {
                let file = before
                    .strip_suffix("`:")
                    .and_then(|it| it.rsplit('`').next());
                let file = file.unwrap_or_else(|| panic!("which file is this?\n{block}"));
                writeln!(script, "cat >{file} <<'END'\n{block}\nEND").unwrap();
            }
        }
    }
    script
}

#[test]
fn the_tutorial_works_when_it_is_followed_line_by_line() {
    let text = std::fs::read_to_string(root().join("sdk/README.md")).unwrap();
    let script = script(&text);
    for part in [
        "plugin new",
        "cargo test",
        "plugin inspect",
        "plugin test",
        "plugin list",
    ] {
        assert!(
            script.contains(part),
            "it says nothing of {part}:\n{script}"
        );
    }
    let workshop = Workshop::new();
    let mut shell = workshop.command("sh", workshop.path());
    let said = succeed(shell.env_remove("CARGO_TARGET_DIR").args(["-c", &script]));
    // What the tutorial shows of what is said.
    for shown in text.split("```text\n").skip(1) {
        for line in shown.split("```").next().unwrap().lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let there = |said: &str| said.split_whitespace().collect::<Vec<_>>() == words;
            assert!(said.lines().any(there), "nobody said `{line}` in:\n{said}");
        }
    }
}
