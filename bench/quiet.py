"""Runs a program while the machine is otherwise idle, as far as possible."""

import os
import pathlib
import subprocess
import sys
import time

# Largest fraction of CPU time that other processes may use during a run that counts.
DISTURBED = 0.04


class Runner:
    """`patience`: total seconds to spend on waiting for an idle machine and on repeating disturbed runs."""

    def __init__(self, patience=0.0):
        self.patience = patience
        self.worst = 0.0  # largest fraction of CPU time that others used in a run that counted

    def run(self, command, environment):
        """Returns the program's standard output. Exits with its error output when it fails."""
        while True:
            start = time.monotonic()
            while self.patience > 0 and self._others(lambda: time.sleep(0.25)) > DISTURBED:
                self.patience -= 0.25
            done, others = None, 0.0

            def program():
                nonlocal done
                done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
            others = self._others(program)
            if done.returncode != 0:
                sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{done.stderr}")
            if others <= DISTURBED or self.patience <= 0:
                self.worst = max(self.worst, others)
                return done.stdout
            self.patience -= time.monotonic() - start

    @staticmethod
    def _others(body):
        """Runs `body` and returns the fraction of CPU time that other processes or the host used meanwhile."""
        def busy():
            user, nice, system, _, _, irq, softirq, steal = map(
                int, pathlib.Path("/proc/stat").read_text().split()[1:9])
            return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")

        def ours():
            t = os.times()
            return t.user + t.system + t.children_user + t.children_system
        start, before, before_ours = time.monotonic(), busy(), ours()
        body()
        others = busy() - before - (ours() - before_ours)
        return max(0.0, others / ((time.monotonic() - start) * os.cpu_count()))
