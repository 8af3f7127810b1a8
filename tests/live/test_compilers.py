"""Plugins that another compiler built load and run here: Debian's rustc-web."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONVOKE = os.environ["CONVOKE"]
KNOWN = "domains.'example.com' = 'https://cal.example.com/.well-known/ischedule'"


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode:
        raise AssertionError(f"{command}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def unpacked(folder):
    """Debian's rustc-web, unpacked: installed, it would replace the toolchain that builds Convoke.

    Answers a wrapper to be `RUSTC`, or None if the distribution has none."""
    subprocess.run(["apt-get", "update", "-q"], capture_output=True)  # the lists of a fresh machine are empty
    pattern = "^(rustc-web|libstd-rust-web-dev|libstd-rust-web-[0-9.]+)$"
    names = [line.split(" - ")[0] for line in run("apt-cache", "search", "--names-only", pattern).splitlines()]
    if "rustc-web" not in names:
        return None
    needed = run("apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts",
                 "--no-breaks", "--no-replaces", "--no-enhances", "rustc-web").splitlines()
    names = {"rustc-web", "libstd-rust-web-dev"} | {
        name for name in needed if name.startswith(("libstd-rust-web-", "libllvm"))}
    packages, root = folder / "packages", folder / "root"
    packages.mkdir()
    root.mkdir()
    run("apt-get", "download", "-q", *sorted(names), cwd=packages)
    for package in packages.iterdir():
        run("dpkg", "-x", package, root)
    libraries = {str(path.parent) for path in root.rglob("*.so*")}
    wrapper = folder / "rustc"
    wrapper.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{":".join(sorted(libraries))}" '
                       f'exec "{root}/usr/bin/rustc" --sysroot "{root}/usr" "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


class Compilers(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def plugin(self, rustc, example):
        """The library of an example, built by another compiler."""
        target = self.folder / "target"
        environment = {**os.environ, "RUSTC": str(rustc), "CARGO_TARGET_DIR": str(target), "CARGO_PROFILE_DEV_DEBUG": "0"}
        environment.pop("RUSTUP_TOOLCHAIN", None)
        run("cargo", "build", "--locked", "--manifest-path", ROOT / "examples" / example / "Cargo.toml", env=environment)
        return target / "debug" / f"lib{example.replace('-', '_')}.so"

    def test_plugins_built_by_debians_rustc_web(self):
        rustc = unpacked(self.folder)
        if rustc is None:
            self.skipTest("this distribution has no rustc-web")
        version = run(rustc, "--version").strip()
        for example, config, more in (
            ("discovery-fixed", KNOWN, ("--known", "anna@example.com", "--unknown", "bo@example.net")),
            ("policy-hours", "timezone = 'Europe/Vienna'", ()),
            ("store-memory", "max_bytes = 2_000_000", ()),
        ):
            library = self.plugin(rustc, example)
            inspected = json.loads(run(CONVOKE, "plugin", "inspect", library, "--json"))
            self.assertEqual(inspected["rustc"], version)
            self.assertIsNone(inspected["refused"])
            tested = json.loads(run(CONVOKE, "plugin", "test", library, "--json", "--config", config, *more))
            self.assertTrue(tested["kept"], tested)
            kept = [law for law in tested["kinds"][0]["laws"] if law["outcome"] == "kept"]
            self.assertGreaterEqual(len(kept), 9, tested)


if __name__ == "__main__":
    unittest.main()
