//! Whether there is room left where the host writes.

use rustix::fs::statvfs;
use std::path::Path;

/// Below both of these a disk is nearly full: a part of it, and bytes.
const LEAST_PART: u64 = 20;
const LEAST_BYTES: u64 = 1 << 30;

/// How full the disk is that `folder` lies on, if it is nearly so.
pub(crate) fn nearly_full(folder: &Path) -> Option<String> {
    let disk = statvfs(folder).ok()?;
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    let all = disk.f_blocks.saturating_mul(disk.f_frsize);
    is_little(left, all).then(|| {
        format!(
            "{} MiB are left of {} MiB where {} lies; what is not written is answered with *try later*: make room",
            left >> 20,
            all >> 20,
            folder.display()
        )
    })
}

const fn is_little(left: u64, all: u64) -> bool {
    left < LEAST_BYTES && left < all / LEAST_PART
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_little_of_the_whole_and_in_bytes() {
        let gib = 1 << 30;
        for (left, all, expected) in [
            (0, 10 * gib, true),
            (gib / 4, 10 * gib, true),
            (gib - 1, 10 * gib, false),
            (2 * gib, 1000 * gib, false),
            (0, 0, false),
        ] {
            assert_eq!(is_little(left, all), expected, "{left} of {all}");
        }
        assert_eq!(nearly_full(Path::new("/nowhere/at/all")), None);
    }
}
