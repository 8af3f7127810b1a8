//! The layout of everything that crosses, written down. Whoever changes it learns here which number to raise.
//!
//! `CONVOKE_WRITE_SNAPSHOT=1 cargo test -p convoke-abi` writes it anew.

#![cfg(target_pointer_width = "64")]

use abi_stable::{
    StableAbi,
    type_layout::{TLFields, TypeLayout},
};
use convoke_abi::root::PluginRoot_Ref;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::Path,
};

#[test]
fn the_layout_is_the_one_written_down() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.txt");
    let mut types = BTreeMap::new();
    walk(
        <PluginRoot_Ref as StableAbi>::LAYOUT,
        &mut types,
        &mut BTreeSet::new(),
    );
    let now: String = types.into_values().collect();
    assert!(now.contains("discover") && now.contains("PluginRoot"));
    if env::var_os("CONVOKE_WRITE_SNAPSHOT").is_some() {
        fs::write(&file, &now).unwrap();
    }
    let before = fs::read_to_string(&file).unwrap_or_default();
    for (before, now) in before.lines().zip(now.lines()) {
        assert_eq!(before, now, "{ADVICE}");
    }
    assert_eq!(before.len(), now.len(), "{ADVICE}");
}

const ADVICE: &str = "the plugin ABI changed. Before the first release it may. After it: A method or field added at the end of a table, with a default: raise \
    the minor version in sdk/abi/Cargo.toml. Anything else: the major version, and every plugin must be built again; \
    try an attribute first. Then write the snapshot anew (see this test's first lines)";

/// Describes every type of ours that can be reached from `layout`.
fn walk(
    layout: &'static TypeLayout,
    types: &mut BTreeMap<String, String>,
    seen: &mut BTreeSet<*const TypeLayout>,
) {
    if !seen.insert(layout) {
        return;
    }
    if is_ours(layout) {
        let place = layout.mod_path().to_string();
        types.insert(format!("{place}::{}", layout.full_type()), describe(layout));
    }
    for next in layout.shared_vars().type_layouts() {
        walk(next(), types, seen);
    }
    for field in layout.phantom_fields().iter() {
        walk(field.layout(), types, seen);
    }
}

fn is_ours(layout: &TypeLayout) -> bool {
    layout.package() == "convoke-abi"
}

fn describe(layout: &'static TypeLayout) -> String {
    let mut text = format!(
        "{}::{}: {} bytes, aligned to {}\n",
        layout.mod_path(),
        layout.full_type(),
        layout.size(),
        layout.alignment()
    );
    for field in layout.get_fields().iter().flat_map(TLFields::iter) {
        let functions: Vec<_> = (field.function_range().iter())
            .map(|function| {
                let parameters: Vec<_> = (function.param_type_layouts.iter())
                    .map(|parameter| name(parameter()))
                    .collect();
                let answer = function
                    .return_type_layout()
                    .map_or_else(String::new, |answer| name(answer()));
                format!("fn({}) -> {answer}", parameters.join(", "))
            })
            .collect();
        let kind = if functions.is_empty() {
            name(field.layout())
        } else {
            functions.join(" ")
        };
        writeln!(text, "    {}: {kind}", field.name()).unwrap();
    }
    text
}

/// The type's name; for a container, which of our types, texts and numbers it is made of.
fn name(layout: &'static TypeLayout) -> String {
    let own = layout.full_type().to_string();
    let mut parts = BTreeSet::new();
    if !is_leaf(layout) {
        collect_parts(layout, 6, &mut parts);
    }
    if parts.is_empty() {
        return own;
    }
    let parts: Vec<_> = parts.into_iter().collect();
    format!("{own} of {}", parts.join(" "))
}

fn collect_parts(layout: &'static TypeLayout, depth: usize, parts: &mut BTreeSet<String>) {
    for inner in layout.shared_vars().type_layouts() {
        let inner = inner();
        if is_leaf(inner) {
            parts.insert(inner.full_type().to_string());
        } else if depth > 0 {
            collect_parts(inner, depth - 1, parts);
        }
    }
}

fn is_leaf(layout: &TypeLayout) -> bool {
    let number = ["bool", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];
    is_ours(layout)
        || ["RString", "RStr", "RRef"].contains(&layout.name())
        || number.contains(&layout.name())
}
