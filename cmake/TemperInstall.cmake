# Installation in components: dev (libraries, headers, find_package, pkg-config), shared (shared libraries), models (programs
# and their man pages). The headers are installed where they are declared (temper_forward_headers); instruction-set objects
# are inside the libraries and are no targets of their own.

include(CMakePackageConfigHelpers)

set(libraries temper_engine temper_optim temper_framework temper_distributed)  # each after those it links
if(TEMPER_RUN)
  list(APPEND libraries temper_run)
endif()
list(APPEND libraries temper_models)
# Static by default. With BUILD_SHARED_LIBS, the libraries search for each other in their own folder.
set_target_properties(${libraries} PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} INSTALL_RPATH $ORIGIN)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/temper)
install(TARGETS ${libraries} EXPORT temper
  ARCHIVE COMPONENT dev
  LIBRARY COMPONENT shared NAMELINK_COMPONENT dev)
install(EXPORT temper FILE temper-targets.cmake NAMESPACE temper:: DESTINATION ${package_dir} COMPONENT dev)

if(BUILD_SHARED_LIBS)
  set(TEMPER_STATIC OFF)
else()
  set(TEMPER_STATIC ON)
endif()
configure_package_config_file(cmake/temper-config.cmake.in temper-config.cmake INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# While the version is 0.x, a new minor version may change the interface.
write_basic_package_version_file(temper-config-version.cmake COMPATIBILITY SameMinorVersion)
# The build tree is a package, too: -Dtemper_DIR=<build>.
export(EXPORT temper FILE ${PROJECT_BINARY_DIR}/temper-targets.cmake NAMESPACE temper::)
foreach(package DNNL SentencePiece Utf8proc XSIMD)
  configure_file(cmake/Find${package}.cmake Find${package}.cmake COPYONLY)
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/temper-config.cmake ${PROJECT_BINARY_DIR}/temper-config-version.cmake
  cmake/FindDNNL.cmake cmake/FindSentencePiece.cmake cmake/FindUtf8proc.cmake DESTINATION ${package_dir} COMPONENT dev)

# A linker reads static libraries in order, so each library precedes those it uses.
list(REVERSE libraries)
list(TRANSFORM libraries PREPEND -l OUTPUT_VARIABLE pc_libraries)
list(JOIN pc_libraries " " pc_libraries)
# The libraries' dependencies. Programs must link them with static libraries, but not with shared ones.
if(SentencePiece_STATUS_LIBRARY)
  set(pc_status " -labsl_status")
endif()
set(pc_dependencies "-ldnnl -lfmt -lsentencepiece_train -lsentencepiece${pc_status} -lutf8proc -lpng -ljpeg -lz -pthread ${OpenMP_CXX_FLAGS}")
if(MPI_CXX_FOUND)
  foreach(library IN LISTS MPI_CXX_LIBRARIES)
    string(APPEND pc_dependencies " ${library}")
  endforeach()
endif()
if(NOT TEMPER_STATIC)
  set(pc_private "${pc_dependencies}")
else()
  string(APPEND pc_libraries " ${pc_dependencies}")
endif()
# Relative, because the prefix can still change when it is installed; absolute folders (as of Nix and Guix) stay as they are.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(PREPEND pc_prefix "\${pcfiledir}/")
endif()
foreach(folder LIBDIR INCLUDEDIR)
  set(pc_${folder} "${CMAKE_INSTALL_${folder}}")
  if(NOT IS_ABSOLUTE "${pc_${folder}}")
    string(PREPEND pc_${folder} "\${prefix}/")
  endif()
endforeach()
configure_file(cmake/temper.pc.in temper.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/temper.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

if(TEMPER_PROGRAMS)
  install(TARGETS ${TEMPER_PROGRAM_TARGETS} RUNTIME COMPONENT models)
  if(BUILD_SHARED_LIBS)
    file(RELATIVE_PATH libraries_from_programs /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
    set_target_properties(${TEMPER_PROGRAM_TARGETS} PROPERTIES INSTALL_RPATH $ORIGIN/${libraries_from_programs})
  endif()
endif()

# A man page of each program, out of its --help.
find_program(TEMPER_AWK awk)
if(TEMPER_PROGRAMS AND TEMPER_AWK AND NOT CMAKE_CROSSCOMPILING)
  foreach(program IN LISTS TEMPER_PROGRAM_TARGETS)
    set(page ${PROJECT_BINARY_DIR}/man/${program}.1)
    add_custom_command(OUTPUT ${page} DEPENDS ${program} ${PROJECT_SOURCE_DIR}/cmake/man.awk VERBATIM
      COMMAND $<TARGET_FILE:${program}> --help > ${page}.help
      COMMAND ${TEMPER_AWK} -v name=${program} -v version=${PROJECT_VERSION} -f ${PROJECT_SOURCE_DIR}/cmake/man.awk ${page}.help > ${page})
    list(APPEND pages ${page})
  endforeach()
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/man)
  add_custom_target(man ALL DEPENDS ${pages})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT models)
endif()

include(TemperPackages)
