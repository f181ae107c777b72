# Functions that define the library's targets: public headers, warnings, and one object per instruction set.

# Everyone, inside and outside, includes <temper/...>. In the build tree those are one-line headers that
# forward to the source; the install puts the headers themselves there.
set(TEMPER_INCLUDE_DIR ${PROJECT_BINARY_DIR}/include)

# temper_forward_headers(<prefix> <folder>): makes <temper/PREFIX/...> for every public header below the folder
# and installs it. Private are the `kernels` folders and headers named *_internal.hpp.
function(temper_forward_headers prefix folder)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/${folder} ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.hpp)
  list(FILTER headers EXCLUDE REGEX "(^|/)kernels/|_internal\\.hpp$")
  foreach(header IN LISTS headers)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/${header})
    file(CONFIGURE OUTPUT ${TEMPER_INCLUDE_DIR}/temper/${prefix}/${header} CONTENT "#include \"${source}\"\n")
    get_filename_component(directory ${header} DIRECTORY)
    if(TEMPER_INSTALL)
      install(FILES ${source} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/temper/${prefix}/${directory} COMPONENT dev)
    endif()
  endforeach()
endfunction()

# The instruction sets of the processor, the first one on all its models, and the compiler's flags for each.
# framework/kernels/isa.hpp has the same list.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(TEMPER_ISAS sse2 avx2 avx512)
  set(flags_sse2 -msse2)
  set(flags_avx2 -mavx2 -mfma -mf16c)
  set(flags_avx512 -mavx512f -mavx512cd -mavx512vl -mavx512dq -mavx512bw -mfma -mf16c)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(TEMPER_ISAS neon)
  set(flags_neon -Wno-psabi)  # GCC's note on std::pair of floats as arguments, which changed in GCC 10
  # All CPUs have FMA, so the compiler would contract a * b + c everywhere, and bits would differ from those of x86-64.
  set(TEMPER_PROCESSOR_FLAGS -ffp-contract=off)
else()
  message(FATAL_ERROR "Temper has kernels for x86_64 and aarch64; got ${CMAKE_SYSTEM_PROCESSOR}")
endif()

# Compile options shared by everything we compile; none of them reaches the user's program.
function(temper_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${TEMPER_WERROR}>:-Werror>
    ${TEMPER_PROCESSOR_FLAGS})
endfunction()

# temper_library(<name> <source>...): a library that sees public headers as <temper/...> and private ones by
# their path from the project's root.
function(temper_library name)
  add_library(${name} ${ARGN})
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${TEMPER_INCLUDE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  temper_compile_options(${name})
  if(BUILD_SHARED_LIBS)  # symbols of our own namespace alone; not those of the headers that we compile
    target_link_options(${name} PRIVATE LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map)
    set_target_properties(${name} PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map
      DEFINE_SYMBOL "")  # which no source asks for, and which no compiler cache would find
  endif()
endfunction()

# temper_isa_sources(<target> <source>...): compiles the sources once per instruction set, each copy in a namespace
# of its own.
#
# Without contraction to FMA, which only the code asks for explicitly: the compiler would contract some loops and not
# others, and an element's bits would depend on whether it is in the vector loop or in the tail.
# Always with -O2: without optimization, inline functions become weak symbols, and the linker could use the AVX-512 copy of
# one on a machine without AVX-512. xsimd's functions, some of which are too large to be inlined (the exact range reduction
# of its sine), have another name in each set. GCC 12 has false warnings about its own AVX-512 headers.
function(temper_isa_sources target)
  foreach(isa IN LISTS TEMPER_ISAS)
    set(objects ${target}_${isa})
    add_library(${objects} OBJECT ${ARGN})
    target_include_directories(${objects} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${objects} PRIVATE XSIMD::xsimd)
    target_compile_definitions(${objects} PRIVATE TEMPER_ISA=${isa} xsimd=xsimd_${isa}
      TEMPER_ISA_VECTORS="framework/kernels/isa/${isa}/vectors.hpp")
    temper_compile_options(${objects})
    target_compile_options(${objects} PRIVATE ${flags_${isa}} -O2 -ffp-contract=off -fno-math-errno
      -fno-trapping-math -Wno-maybe-uninitialized -Wno-uninitialized)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
    # For the test that checks their symbols.
    set_property(GLOBAL APPEND PROPERTY TEMPER_ISA_OBJECTS "${isa} $<JOIN:$<TARGET_OBJECTS:${objects}>,\n${isa} >\n")
  endforeach()
endfunction()
