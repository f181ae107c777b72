# Finds the xsimd headers. Debian's own target has the linker flag -lxtl, but there is no such library.
#
# Defines XSIMD_FOUND and the header-only target XSIMD::xsimd.
find_path(XSIMD_INCLUDE_DIR xsimd/xsimd.hpp)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XSIMD REQUIRED_VARS XSIMD_INCLUDE_DIR)

if(XSIMD_FOUND AND NOT TARGET XSIMD::xsimd)
  add_library(XSIMD::xsimd INTERFACE IMPORTED)
  set_target_properties(XSIMD::xsimd PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${XSIMD_INCLUDE_DIR})
endif()
mark_as_advanced(XSIMD_INCLUDE_DIR)
