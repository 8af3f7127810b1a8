//! Makes a story that fails shorter.

use crate::{
    story::Story,
    tell::{Failed, tell},
};

/// Stories that are told for it, at most.
const MOST: usize = 3_000;
/// With a step less, chance takes another course: it is told again with so much other luck.
const LUCK: u64 = 4;

/// A part of a story that fails as well, and how.
pub(crate) fn shrink(story: &Story, failed: Failed) -> (Story, Failed) {
    let mut best = (story.clone(), failed);
    let mut left = MOST;
    let mut size = best.0.steps.len().div_ceil(2);
    while size > 0 && left > 0 {
        let mut at = 0;
        let before = best.0.steps.len();
        while at < best.0.steps.len() && left > 0 {
            let mut shorter = best.0.clone();
            let end = (at + size).min(shorter.steps.len());
            shorter.steps.drain(at..end);
            match fails(shorter, &mut left) {
                Some(found) => best = found,
                None => at += size,
            }
        }
        if best.0.steps.len() == before {
            size /= 2;
        } else {
            size = size.min(best.0.steps.len().div_ceil(2));
        }
    }
    best
}

fn fails(mut story: Story, left: &mut usize) -> Option<(Story, Failed)> {
    for _ in 0..LUCK {
        *left = left.saturating_sub(1);
        if let Err(failed) = tell(&story, false) {
            return Some((story, failed));
        }
        story.seed = story
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
    }
    None
}
