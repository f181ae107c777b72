# Says that the compiler is too old before anything is built.
set(oldest_GNU 12)
set(oldest_Clang 14)
set(oldest "${oldest_${CMAKE_CXX_COMPILER_ID}}")
if(oldest AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS oldest)
  message(FATAL_ERROR "Temper needs GCC 12 or Clang 14, or newer; got ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}: ${CMAKE_CXX_COMPILER}")
endif()
