# Builds the program of a user's project and runs a short version of it. Called with cmake -P and
#   MODE      package: installs the build in BUILD, then find_package and pkg-config
#             subdirectory: add_subdirectory, with the libraries of BUILD
#             subdirectory_whole: add_subdirectory, compiling everything again
#   SOURCE    Temper's sources
#   BUILD     Temper's build
#   WORK      a folder for all files that this script creates
#   COMPILER, FLAGS, PKG_CONFIG

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message("${output}")  # FATAL_ERROR would wrap the lines
    message(FATAL_ERROR "failed: ${command}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# The program trains a few steps and exits with 0 if the loss decreased.
function(check program)
  run(${CMAKE_COMMAND} -E env OMP_NUM_THREADS=1 ${program})
  if(NOT output MATCHES "^loss [0-9.]+ -> [0-9.]+\n$")
    message(FATAL_ERROR "${program} printed: ${output}")
  endif()
  message("${program}: ${output}")
endfunction()

set(configure ${CMAKE_COMMAND} -G Ninja -DCMAKE_CXX_COMPILER=${COMPILER} "-DCMAKE_CXX_FLAGS=${FLAGS}")

if(MODE STREQUAL "package")
  file(REMOVE_RECURSE ${WORK})
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/installed --component dev)
  # Moves the installed package, which must not depend on the folders of its build and installation.
  file(RENAME ${WORK}/installed ${WORK}/prefix)
  file(GLOB_RECURSE texts ${WORK}/prefix/*.cmake ${WORK}/prefix/*.pc ${WORK}/prefix/*.hpp)
  foreach(text IN LISTS texts)
    file(READ ${text} content)
    foreach(path ${SOURCE} ${BUILD} ${WORK})
      string(FIND "${content}" "${path}/" place)
      if(NOT place EQUAL -1)
        message(FATAL_ERROR "${text} mentions ${path}")
      endif()
    endforeach()
    if(text MATCHES "/kernels/|_internal\\.hpp$")
      message(FATAL_ERROR "${text} is private and was installed")
    endif()
  endforeach()

  run(${configure} -S ${SOURCE}/tests/consumer -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/prefix)
  run(${CMAKE_COMMAND} --build ${WORK}/build)
  check(${WORK}/build/check)

  # Without installation, from the folder it was built in.
  run(${configure} -S ${SOURCE}/tests/consumer -B ${WORK}/from_build -Dtemper_DIR=${BUILD})
  run(${CMAKE_COMMAND} --build ${WORK}/from_build --target check)
  check(${WORK}/from_build/check)

  file(GLOB_RECURSE pc ${WORK}/prefix/*/temper.pc)
  get_filename_component(pc_folder ${pc} DIRECTORY)
  run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pc_folder} ${PKG_CONFIG} --cflags --libs temper)
  separate_arguments(pc_flags UNIX_COMMAND "${output}")
  separate_arguments(own_flags UNIX_COMMAND "${FLAGS}")
  run(${COMPILER} ${own_flags} ${SOURCE}/tests/consumer/check.cpp -o ${WORK}/check ${pc_flags})
  check(${WORK}/check)
else()
  # Without optimization, the default of a CMake project.
  run(${configure} -S ${SOURCE}/tests/consumer/subdirectory -B ${WORK}/build -DTEMPER_SOURCE_DIR=${SOURCE})
  if(MODE STREQUAL "subdirectory_whole")
    run(${CMAKE_COMMAND} --build ${WORK}/build)
  else()
    # Compiling the whole library again takes minutes. This variant compiles one file of each library and the programs with
    # the options of this project, and links the programs with the libraries of the existing build.
    set(objects framework/CMakeFiles/temper_engine.dir/core/shape.cpp.o
      framework/CMakeFiles/temper_engine_avx2.dir/kernels/isa/table.cpp.o optim/CMakeFiles/temper_optim.dir/schedule.cpp.o
      optim/CMakeFiles/temper_optim_avx512.dir/kernels/isa/table.cpp.o
      framework/CMakeFiles/temper_framework.dir/nn/init.cpp.o models/CMakeFiles/temper_models.dir/mlp/mlp.cpp.o)
    list(TRANSFORM objects PREPEND temper/)
    foreach(program mine check)
      run(ninja -C ${WORK}/build -t query ${program})
      string(REGEX MATCH "CMakeFiles/${program}\\.dir/[^\n]*\\.o" object "${output}")
      list(APPEND objects ${object})
    endforeach()
    run(ninja -C ${WORK}/build ${objects})
    foreach(library framework/libtemper_engine.a optim/libtemper_optim.a framework/libtemper_framework.a
      framework/libtemper_distributed.a framework/libtemper_run.a models/libtemper_models.a)
      file(COPY_FILE ${BUILD}/${library} ${WORK}/build/temper/${library})
    endforeach()
    foreach(program mine check)
      run(ninja -C ${WORK}/build -t commands -s ${program})
      run(${CMAKE_COMMAND} -E chdir ${WORK}/build sh -c "${output}")
    endforeach()
  endif()
  check(${WORK}/build/check)
endif()
