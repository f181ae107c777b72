# Finds the xsimd headers. Debian's own target has the linker flag -lxtl, but there is no such library.
#
# Defines XSIMD_FOUND, XSIMD_VERSION and the header-only target XSIMD::xsimd.
find_path(XSIMD_INCLUDE_DIR xsimd/xsimd.hpp)

if(XSIMD_INCLUDE_DIR AND EXISTS ${XSIMD_INCLUDE_DIR}/xsimd/config/xsimd_config.hpp)
  file(STRINGS ${XSIMD_INCLUDE_DIR}/xsimd/config/xsimd_config.hpp _xsimd_lines
    REGEX "#define XSIMD_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
  string(REGEX REPLACE ".*MAJOR +([0-9]+).*MINOR +([0-9]+).*PATCH +([0-9]+).*" "\\1.\\2.\\3" XSIMD_VERSION "${_xsimd_lines}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XSIMD REQUIRED_VARS XSIMD_INCLUDE_DIR VERSION_VAR XSIMD_VERSION)

if(XSIMD_FOUND AND NOT TARGET XSIMD::xsimd)
  add_library(XSIMD::xsimd INTERFACE IMPORTED)
  set_target_properties(XSIMD::xsimd PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${XSIMD_INCLUDE_DIR})
endif()
mark_as_advanced(XSIMD_INCLUDE_DIR)
