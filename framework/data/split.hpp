#pragma once

namespace temper::data {

/// What is trained on, and what is held out.
enum class Split { train, test };

}  // namespace temper::data
