//! Whether what a library exports has the layout that we expect, be it older or newer than we are.

use super::{Mismatch, Reason};
use crate::root::{Header, PluginRoot_Ref};
use abi_stable::{
    StableAbi, abi_stability::abi_checking::check_layout_compatibility, type_layout::TypeLayout,
};

/// The library's root module, if its layout fits.
pub(super) fn checked(header: &'static Header) -> Result<PluginRoot_Ref, Reason> {
    let silent = "it does not say how its types are laid out";
    let theirs = header
        .layout()
        .ok_or_else(|| Reason::Layout(Mismatch::new(silent, silent.to_owned())))?;
    compatible(<PluginRoot_Ref as StableAbi>::LAYOUT, theirs).map_err(Reason::Layout)?;
    // SAFETY: one of the two layouts begins with the other; the fields and methods that are missing from theirs read
    // as missing, as the tables carry their own length.
    let root = unsafe { header.init_root_module_with_unchecked_layout() };
    root.map_err(|error| foreign(error.to_string()))
}

/// A library whose root module is of another make; `all` is what `abi_stable` says, a page of it.
pub(super) fn foreign(all: String) -> Reason {
    let last = "its root module was not made by `convoke_sdk::plugin!`";
    Reason::Layout(Mismatch::new(last, all))
}

/// Whether one grew out of the other; else the last mismatch.
///
/// `abi_stable` compares one way only: the implementation may be newer than the interface. A library older than the
/// host is the same comparison with sides changed, which is sound as the tables only ever grow at their end.
fn compatible(ours: &'static TypeLayout, theirs: &'static TypeLayout) -> Result<(), Mismatch> {
    let Err(newer) = check_layout_compatibility(ours, theirs) else {
        return Ok(());
    };
    check_layout_compatibility(theirs, ours).map_err(|_| Mismatch::read(newer.to_string()))
}

/// How many characters of a mismatch are shown.
const SHOWN: usize = 160;

impl Mismatch {
    fn new(last: &str, all: String) -> Self {
        Self {
            last: last.to_owned(),
            all,
        }
    }

    /// Finds the last of the mismatches in a dump.
    pub(super) fn read(all: String) -> Self {
        let last = all.rsplit("\nError:").next().unwrap_or(&all);
        let words = last.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = words
            .replace(" Expected: ", ": expected ")
            .replace(" Found: ", ", found ");
        let shown: String = words.chars().take(SHOWN).collect();
        Self::new(&shown, all)
    }
}

#[cfg(test)]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "only the layouts of the tables are looked at"
)]
mod tests {
    use super::*;

    mod old {
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        #[sabi(kind(Prefix(prefix_ref = Table_Ref)))]
        #[sabi(missing_field(option))]
        pub struct Table {
            #[sabi(last_prefix_field)]
            pub first: u16,
        }
    }

    mod new {
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        #[sabi(kind(Prefix(prefix_ref = Table_Ref)))]
        #[sabi(missing_field(option))]
        pub struct Table {
            #[sabi(last_prefix_field)]
            pub first: u16,
            pub second: u64,
        }
    }

    mod other {
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        #[sabi(kind(Prefix(prefix_ref = Table_Ref)))]
        #[sabi(missing_field(option))]
        pub struct Table {
            #[sabi(last_prefix_field)]
            pub first: u32,
        }
    }

    #[test]
    fn what_grew_fits_both_ways_and_what_changed_does_not() {
        let old = <old::Table_Ref as StableAbi>::LAYOUT;
        let new = <new::Table_Ref as StableAbi>::LAYOUT;
        let other = <other::Table_Ref as StableAbi>::LAYOUT;
        assert_eq!(compatible(old, new), Ok(()));
        assert_eq!(compatible(new, old), Ok(()));
        let mismatch = compatible(old, other).unwrap_err().to_string();
        assert!(mismatch.contains("expected u16, found u32"), "{mismatch}");
        assert!(mismatch.len() <= SHOWN && !mismatch.contains('\n'));
    }
}
