# Finds SentencePiece by its headers and libraries, as Debian's package has no CMake configuration file.
#
# Defines SentencePiece_FOUND and the target SentencePiece::sentencepiece, with the trainer.
find_path(SentencePiece_INCLUDE_DIR sentencepiece_processor.h)
find_library(SentencePiece_LIBRARY sentencepiece)
find_library(SentencePiece_TRAIN_LIBRARY sentencepiece_train)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(SentencePiece REQUIRED_VARS
  SentencePiece_LIBRARY SentencePiece_TRAIN_LIBRARY SentencePiece_INCLUDE_DIR)

# Its headers use Abseil's from 0.2.2 on.
set(SentencePiece_LIBRARIES ${SentencePiece_LIBRARY})
if(SentencePiece_FOUND)
  file(STRINGS ${SentencePiece_INCLUDE_DIR}/sentencepiece_processor.h SentencePiece_ABSEIL REGEX "include <absl/" LIMIT_COUNT 1)
  if(SentencePiece_ABSEIL)
    find_library(SentencePiece_STATUS_LIBRARY absl_status REQUIRED)
    mark_as_advanced(SentencePiece_STATUS_LIBRARY)
    list(APPEND SentencePiece_LIBRARIES ${SentencePiece_STATUS_LIBRARY})
  endif()
endif()

if(SentencePiece_FOUND AND NOT TARGET SentencePiece::sentencepiece)
  add_library(SentencePiece::sentencepiece UNKNOWN IMPORTED)
  set_target_properties(SentencePiece::sentencepiece PROPERTIES
    IMPORTED_LOCATION ${SentencePiece_TRAIN_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${SentencePiece_INCLUDE_DIR}
    INTERFACE_LINK_LIBRARIES "${SentencePiece_LIBRARIES}")
endif()
mark_as_advanced(SentencePiece_INCLUDE_DIR SentencePiece_LIBRARY SentencePiece_TRAIN_LIBRARY)
