"""Runs a program while nobody else uses the processors, as far as that can be had."""

import os
import pathlib
import subprocess
import sys
import time

# Share of the processors that others may have during a run that counts.
DISTURBED = 0.04


class Runner:
    """`patience`: seconds to spend, all runs together, on waiting for quiet and on repeating disturbed runs."""

    def __init__(self, patience=0.0):
        self.patience = patience
        self.worst = 0.0  # share others had in the runs that were kept

    def run(self, command, environment):
        """The program's standard output. Exits when the program fails."""
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
        """What share of the processors was taken by others, or by the host, while `body` ran."""
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
