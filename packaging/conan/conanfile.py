"""Temper as a package of Conan 2: conan create packaging/conan

What Temper uses comes from the system's packages, as ConanCenter has no SentencePiece, no Random123 and a oneDNN older than 2.6.
A missing one is named; -c tools.system.package_manager:mode=install installs it."""

import pathlib
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy
from conan.tools.system.package_manager import Apt


class Temper(ConanFile):
    name = "temper"
    description = "Trains neural networks on the CPU: tape autograd, oneDNN layers, vectorized optimizers"
    topics = ("deep-learning", "neural-networks", "optimizers", "onednn")
    license = "MIT"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False]}
    default_options = {"shared": False}

    @property
    def _root(self):
        return pathlib.Path(self.recipe_folder).parent.parent

    def set_version(self):
        numbers = re.findall(r"define TEMPER_VERSION_\w+ (\d+)", (self._root / "framework/core/version.hpp").read_text())
        self.version = ".".join(numbers)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "framework/*", "optim/*", "models/*"):
            copy(self, pattern, self._root, self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def system_requirements(self):
        Apt(self).install(
            "libdnnl-dev libxsimd-dev libcli11-dev nlohmann-json3-dev libfmt-dev zlib1g-dev libsentencepiece-dev libabsl-dev "
            "libutf8proc-dev libpng-dev libjpeg-dev librandom123-dev libtomlplusplus-dev".split()
        )

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["TEMPER_TESTS"] = False
        toolchain.cache_variables["TEMPER_PROGRAMS"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, pathlib.Path(self.package_folder) / "licenses")

    def package_info(self):
        # Temper's own files for CMake and pkg-config know all of this.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = ["lib/cmake/temper"]
        self.cpp_info.libs = [f"temper_{part}" for part in ("models", "run", "framework", "optim", "engine")]
        if not self.options.shared:
            self.cpp_info.system_libs = "dnnl fmt sentencepiece_train sentencepiece utf8proc png jpeg z pthread gomp".split()
