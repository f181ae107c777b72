#pragma once

// Everything a training program needs.

#include <temper/autograd/gradcheck.hpp>
#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>
#include <temper/core/random.hpp>
#include <temper/data/augmented.hpp>
#include <temper/data/char_tokenizer.hpp>
#include <temper/data/fashion_mnist.hpp>
#include <temper/data/king_james_bible.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/mixup.hpp>
#include <temper/data/sentencepiece.hpp>
#include <temper/data/tensor_dataset.hpp>
#include <temper/data/text.hpp>
#include <temper/data/text_dataset.hpp>
#include <temper/data/tokenized.hpp>
#include <temper/data/wordnet.hpp>
#include <temper/io/save.hpp>
#include <temper/io/tokenizer.hpp>
#include <temper/nn/layers.hpp>
#include <temper/nn/summary.hpp>
#include <temper/optim/optim.hpp>
#include <temper/train/info.hpp>
#include <temper/train/metrics.hpp>
#include <temper/train/print.hpp>
#include <temper/train/progress.hpp>
#include <temper/train/report.hpp>
#include <temper/train/tensorboard.hpp>
