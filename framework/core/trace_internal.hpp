#pragma once

namespace temper::detail {

/// Throws: FileError when TEMPER_TRACE names a file that cannot be written. Programs call it before anything else; else
/// the first operation or TraceScope throws.
void check_trace_file();

}  // namespace temper::detail
