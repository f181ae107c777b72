# Packages of Debian: `cmake --workflow --preset package` makes libtemper-dev (libraries, headers, CMake, pkg-config),
# temper-models (programs, man pages) and, of shared libraries, libtemper0.1. They depend on the libraries of the system they
# are built on. packaging/debian/ has what packages of Debian hold besides.

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()

set(TEMPER_PACKAGE_CONTACT "The Temper authors <temper@example.org>" CACHE STRING "Name and address of who makes the packages")
set(abi ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME temper)
set(CPACK_PACKAGE_VENDOR "The Temper authors")
set(CPACK_PACKAGE_CONTACT "${TEMPER_PACKAGE_CONTACT}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package has a first line of its own
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/debian/documents.cmake)
set(CPACK_TEMPER_SOURCE ${PROJECT_SOURCE_DIR})

set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL dev)

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libtemper-dev)
set(CPACK_DEBIAN_DEV_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEV_DESCRIPTION "Trains neural networks on the CPU (development files)
Tensors, a tape that records operations and their gradients, layers on oneDNN,
vectorized optimizers and schedules, readers of data sets and safetensors.

This package has the libraries and headers, for CMake's find_package(temper)
and for pkg-config.")

set(CPACK_DEBIAN_MODELS_PACKAGE_NAME temper-models)
set(CPACK_DEBIAN_MODELS_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_MODELS_PACKAGE_SECTION science)
set(CPACK_DEBIAN_MODELS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_MODELS_PACKAGE_RECOMMENDS "dataset-fashion-mnist")
set(CPACK_DEBIAN_MODELS_PACKAGE_SUGGESTS "bible-kjv-text, wordnet-base")
set(CPACK_COMPONENT_MODELS_DESCRIPTION "Trains neural networks on the CPU (programs)
Programs that train GPT, Llama, BERT, residual and convolutional networks,
networks for tables, series and games, with checkpoints, exact resuming,
sweeps over options, and reports as HTML pages.")

# A static library is linked together with what it uses.
set(needs libdnnl-dev libfmt-dev libjpeg-dev libpng-dev libsentencepiece-dev libutf8proc-dev zlib1g-dev)
if(SentencePiece_STATUS_LIBRARY)
  list(APPEND needs libabsl-dev)
endif()
list(JOIN needs ", " CPACK_DEBIAN_DEV_PACKAGE_DEPENDS)

if(BUILD_SHARED_LIBS)
  list(APPEND CPACK_COMPONENTS_ALL shared)
  set(CPACK_DEBIAN_SHARED_PACKAGE_NAME libtemper${abi})
  set(CPACK_DEBIAN_SHARED_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_SHARED_PACKAGE_SECTION libs)
  set(CPACK_DEBIAN_SHARED_PACKAGE_SHLIBDEPS ON)
  set(CPACK_COMPONENT_SHARED_DESCRIPTION "Trains neural networks on the CPU (shared libraries)
What programs need that are linked with Temper's shared libraries. While the
version is 0.x, each minor version has an interface and a soname of its own.")
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS
    ${PROJECT_BINARY_DIR}/framework ${PROJECT_BINARY_DIR}/optim ${PROJECT_BINARY_DIR}/models)
  set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libtemper${abi} (= ${PROJECT_VERSION}-1)")
  set(CPACK_DEBIAN_MODELS_PACKAGE_DEPENDS "libtemper${abi} (= ${PROJECT_VERSION}-1)")
endif()
if(TEMPER_PROGRAMS)
  list(APPEND CPACK_COMPONENTS_ALL models)
endif()
include(CPack)
