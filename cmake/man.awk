# Makes a man page of a program's --help: awk -v name=temper-cnn -v version=0.1.0 -f man.awk help.txt >temper-cnn.1
# The help is CLI11's: a sentence, "Usage:", then headings that end with a colon and indented lines, "  --lr NUMBER   text". A text
# that does not fit beside its option, or that is long, stands indented below.

function troff(text) {
  gsub(/\\/, "\\e", text)
  gsub(/-/, "\\-", text)
  return text ~ /^[.']/ ? "\\&" text : text
}

BEGIN {
  printf ".TH %s 1 \"\" \"Temper %s\" \"Temper\"\n", toupper(troff(name)), version
  print ".ad l"
}

# "Usage: temper-cnn [OPTIONS]", after the sentence.
/^(Usage|USAGE):/ {
  sub(/^[A-Za-z]+: *[^ ]+ */, "")
  printf ".SH SYNOPSIS\n.B %s\n%s\n", troff(name), troff($0)
  next
}

# A heading.
/^[A-Za-z][A-Za-z ]*:$/ {
  section = toupper(substr($0, 1, length($0) - 1))
  printf ".SH %s\n", section
  next
}

section == "" && $0 != "" {
  sentence = $0
  sub(/\.$/, "", sentence)
  printf ".SH NAME\n%s \\- %s%s\n", troff(name), tolower(substr(sentence, 1, 1)), troff(substr(sentence, 2))
  section = "described"
  next
}

# An option, and what stands beside it: after at least two spaces, or from column 31 on.
/^  [^ ]/ {
  line = substr($0, 3)
  text = ""
  if (match(line, /  +/)) {
    text = substr(line, RSTART + RLENGTH)
    line = substr(line, 1, RSTART - 1)
  } else if (substr($0, 30, 1) == " ") {
    text = substr($0, 31)
    line = substr($0, 3, 27)
  }
  flag = line
  value = ""
  if (match(line, / /)) {
    flag = substr(line, 1, RSTART - 1)
    value = substr(line, RSTART)
  }
  gsub(/,/, ", ", flag)
  value = troff(value)
  gsub(/,/, ",\\:", value)  # a long list of values may be broken there
  printf ".TP\n\\fB%s\\fR%s\n", troff(flag), value
  if (text != "") print troff(text)
  next
}

/^ / {
  sub(/^ +/, "")
  print troff($0)
  next
}

# The sentences below the options.
$0 != "" { notes = notes ".PP\n" troff($0) "\n" }

END {
  if (notes != "") printf ".SH NOTES\n%s", notes
  print ".SH \"EXIT STATUS\""
  print "0 after success, 1 after an error, 2 for a wrong command line, 130 when a signal has stopped a training in good order."
  print ".SH ENVIRONMENT"
  print ".TP\n\\fBTEMPER_TRACE\\fR\na file for a trace of the operations, which ui.perfetto.dev opens; a table of them is printed at the end"
  print ".TP\n\\fBTEMPER_ISA\\fR\nthe instruction set of Temper's kernels: sse2, avx2 or avx512; by default the CPU's best"
}
