//! No modules of a crate import each other in a circle: what depends on each other can only be read, tested and moved
//! together.
//!
//! Looked at are the modules directly below the root of each of our crates, and the paths (`crate::…`, `super::…`) in
//! their code and their macros; what `lib.rs` re-exports counts for the module that it comes from. Tests may import what
//! they like, and so may the root.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

#[test]
fn modules_do_not_import_each_other_in_circles() {
    let mut wrong = Vec::new();
    for folder in crates() {
        let name = folder.strip_prefix(root()).unwrap().display().to_string();
        let imports = Imports::of(&folder.join("src"));
        for circle in imports.circles() {
            wrong.push(format!("{name}:\n{}", imports.shown(&circle)));
        }
    }
    assert!(
        wrong.is_empty(),
        "modules import each other in a circle; move what both need into one of its own:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn circles_are_found_however_the_path_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        (
            "lib.rs",
            "mod a; mod b; mod c; mod d;\npub use c::{Thing, deep::Other as Renamed};",
        ),
        ("a.rs", "use super::b; fn f() { b::g(); }"),
        (
            "b.rs",
            "pub fn g() { tell!(\"crate::d\", crate::Renamed::new()); } // crate::d",
        ),
        (
            "c.rs",
            "mod deep;\n#[cfg(test)] mod tests { use crate::d; }",
        ),
        (
            "c/deep.rs",
            "mod inner { use super::super::super::{a::{self}, d}; }",
        ),
        (
            "d.rs",
            "#[cfg(test)] use crate::c; use self::e::F; mod e { pub struct F; }",
        ),
    ];
    fs::create_dir(folder.path().join("c")).unwrap();
    for (file, text) in files {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let imports = Imports::of(folder.path());
    assert_eq!(imports.circles(), [["a", "b", "c"].map(str::to_owned)]);
    let shown = imports.shown(&["a", "b", "c"].map(str::to_owned));
    assert_eq!(
        shown,
        "  a imports b (a.rs)\n  b imports c (b.rs)\n  c imports a (c/deep.rs)"
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folders of our crates.
fn crates() -> Vec<PathBuf> {
    let below = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path())
    };
    let mut crates: Vec<PathBuf> = below("core").chain(below("plugins")).collect();
    crates.extend(["sdk", "sdk/abi", "tests", "tests/load"].map(|it| root().join(it)));
    crates.retain(|it| it.join("Cargo.toml").is_file());
    crates.sort();
    assert!(crates.len() > 10, "{crates:?}");
    crates
}

/// Which modules of a crate import which others, and a file that does.
#[derive(Default)]
struct Imports {
    modules: BTreeSet<String>,
    /// Names that the root re-exports, and the module that they come from.
    exported: BTreeMap<String, String>,
    edges: BTreeMap<String, BTreeMap<String, PathBuf>>,
}

impl Imports {
    fn of(source: &Path) -> Self {
        let mut files = Vec::new();
        rust_files(source, Path::new(""), &mut files);
        files.sort();
        let mut imports = Self {
            modules: files
                .iter()
                .filter_map(|it| module(it).into_iter().next())
                .collect(),
            ..Self::default()
        };
        let mut uses = Vec::new();
        for file in files {
            let text = fs::read_to_string(source.join(&file)).unwrap();
            let tokens: TokenStream = text.parse().expect("our own code is Rust");
            let mut paths = Vec::new();
            walk(tokens, &module(&file), &mut paths);
            uses.push((file, paths));
        }
        for (file, paths) in &uses {
            if module(file).is_empty() {
                for path in paths {
                    imports.export(path);
                }
            }
        }
        for (file, paths) in uses {
            if let Some(from) = module(&file).first() {
                for path in &paths {
                    imports.import(from, path, &file);
                }
            }
        }
        imports
    }

    fn export(&mut self, path: &Import) {
        if let [module, .., _] = path.segments.as_slice()
            && self.modules.contains(module)
        {
            self.exported.insert(path.name.clone(), module.clone());
        }
    }

    fn import(&mut self, from: &str, path: &Import, file: &Path) {
        let Some(first) = path.segments.first() else {
            return;
        };
        let to = if self.modules.contains(first) {
            first
        } else if let Some(module) = self.exported.get(first) {
            module
        } else {
            return;
        };
        if to != from {
            let edges = self.edges.entry(from.to_owned()).or_default();
            edges.entry(to.clone()).or_insert_with(|| file.to_owned());
        }
    }

    /// The shortest way from one module to another, at least one import long.
    fn way(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut ways = VecDeque::from([vec![from.to_owned()]]);
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop_front() {
            for next in self
                .edges
                .get(way.last()?)
                .into_iter()
                .flatten()
                .map(|it| it.0)
            {
                let mut way = way.clone();
                way.push(next.clone());
                if next == to {
                    return Some(way);
                }
                if seen.insert(next.clone()) {
                    ways.push_back(way);
                }
            }
        }
        None
    }

    /// Modules that reach each other, circle by circle.
    fn circles(&self) -> Vec<Vec<String>> {
        let mut left = self.modules.clone();
        let mut circles = Vec::new();
        while let Some(module) = left.pop_first() {
            let together = |other: &String| {
                self.way(&module, other).is_some() && self.way(other, &module).is_some()
            };
            let others: Vec<String> = left.iter().filter(|it| together(it)).cloned().collect();
            if !others.is_empty() {
                left.retain(|it| !others.contains(it));
                circles.push([vec![module], others].concat());
            }
        }
        circles
    }

    /// The imports between the modules of a circle.
    fn shown(&self, circle: &[String]) -> String {
        let mut lines = Vec::new();
        for from in circle {
            for (to, file) in self.edges.get(from).into_iter().flatten() {
                if circle.contains(to) {
                    lines.push(format!("  {from} imports {to} ({})", file.display()));
                }
            }
        }
        lines.join("\n")
    }
}

fn rust_files(source: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(source.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if path.ends_with("tests") || path.ends_with("tests.rs") {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            rust_files(source, &path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// The module that a file is: none for the root.
fn module(file: &Path) -> Vec<String> {
    let mut module: Vec<String> = (file.with_extension("").iter())
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let last = module.last().map(String::as_str);
    if last == Some("mod") || module.len() == 1 && matches!(last, Some("lib" | "main")) {
        module.pop();
    }
    module
}

/// Something of this crate that is named: its path from the root, and what it is called here.
struct Import {
    segments: Vec<String>,
    name: String,
}

/// Finds the paths in the code of a module.
fn walk(tokens: TokenStream, module: &[String], found: &mut Vec<Import>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut place = 0;
    while place < tokens.len() {
        let rest = &tokens[place..];
        match &rest[0] {
            TokenTree::Punct(hash) if hash.as_char() == '#' && is_test(rest.get(1)) => {
                place += item(rest);
                continue;
            }
            TokenTree::Ident(word) if word == "use" => {
                let end = rest
                    .iter()
                    .position(|it| is_punct(it, ';'))
                    .unwrap_or(rest.len());
                tree(&rest[1..end], &[], module, found);
                place += end;
                continue;
            }
            TokenTree::Ident(word) if word == "mod" => {
                if let [_, TokenTree::Ident(name), TokenTree::Group(body), ..] = rest {
                    let inner = [module, &[name.to_string()]].concat();
                    walk(body.stream(), &inner, found);
                    place += 3;
                    continue;
                }
            }
            TokenTree::Ident(_) => {
                let (path, length) = path(rest);
                if path.len() > 1 {
                    add(&path, None, module, found);
                }
                place += length;
                continue;
            }
            TokenTree::Group(group) => walk(group.stream(), module, found),
            _ => {}
        }
        place += 1;
    }
}

fn is_punct(token: &TokenTree, letter: char) -> bool {
    matches!(token, TokenTree::Punct(it) if it.as_char() == letter)
}

/// Whether the brackets of an attribute say `cfg(test)`.
fn is_test(brackets: Option<&TokenTree>) -> bool {
    brackets.is_some_and(|it| it.to_string().replace(' ', "") == "[cfg(test)]")
}

/// How many tokens an attribute and the item behind it have: up to its braces or its semicolon.
fn item(tokens: &[TokenTree]) -> usize {
    let ends = |it: &TokenTree| {
        let braces = |it: &TokenTree| matches!(it, TokenTree::Group(it) if it.delimiter() == Delimiter::Brace);
        is_punct(it, ';') || braces(it)
    };
    let is_use = |it: &&TokenTree| matches!(it, TokenTree::Ident(it) if it == "use");
    let end = if tokens.iter().take(6).any(|it| is_use(&it)) {
        tokens.iter().position(|it| is_punct(it, ';'))
    } else {
        tokens.iter().position(ends)
    };
    end.map_or(tokens.len(), |end| end + 1)
}

/// The words of a path, and the tokens that it takes.
fn path(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let (mut words, mut place) = (Vec::new(), 0);
    while let Some(TokenTree::Ident(word)) = tokens.get(place) {
        words.push(word.to_string());
        place += 1;
        let colons = tokens.get(place..place + 2);
        if !colons.is_some_and(|it| it.iter().all(|it| is_punct(it, ':'))) {
            break;
        }
        place += 2;
    }
    (words, place)
}

/// The paths of a tree of imports.
fn tree(tokens: &[TokenTree], before: &[String], module: &[String], found: &mut Vec<Import>) {
    for branch in tokens.split(|it| is_punct(it, ',')) {
        let (words, length) = path(branch);
        let whole = [before, &words].concat();
        match branch.get(length..) {
            Some([TokenTree::Group(inner), ..]) => {
                let inner: Vec<TokenTree> = inner.stream().into_iter().collect();
                tree(&inner, &whole, module, found);
            }
            Some([TokenTree::Ident(_), TokenTree::Ident(name), ..]) => {
                add(&whole, Some(name.to_string()), module, found);
            }
            _ => add(&whole, None, module, found),
        }
    }
}

/// Notes a path if it is one of this crate.
fn add(path: &[String], name: Option<String>, module: &[String], found: &mut Vec<Import>) {
    let path = match path {
        [path @ .., last] if last == "self" => path,
        path => path,
    };
    let mut rest = path;
    let mut base = match path.first().map(String::as_str) {
        Some("crate") => &[],
        Some("self" | "super") => module,
        // In the root, the name of a module or of another crate.
        Some(_) if module.is_empty() => &[],
        _ => return,
    };
    while let [first, after @ ..] = rest
        && matches!(first.as_str(), "crate" | "self" | "super")
    {
        if first == "super" {
            base = &base[..base.len().saturating_sub(1)];
        }
        rest = after;
    }
    let segments = [base, rest].concat();
    if let Some(last) = segments.last() {
        let name = name.unwrap_or_else(|| last.clone());
        found.push(Import { segments, name });
    }
}
