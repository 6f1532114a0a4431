#!/usr/bin/env bash
# Draws what a terminal shows as a picture: docs/picture.sh < docs/demo.txt > docs/demo.svg
# demo.txt is what `make demo` printed, shortened. Lines that begin with "$ " are typed, "..." stands for what was left out.
set -euo pipefail
awk '
  { lines[NR] = $0; if (length($0) > widest) widest = length($0) }
  END {
    high = 17; left = 18; top = 46
    width = int(84 * 7.83) + 2 * left; height = top + NR * high + 14
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n", width, height, width, height
    print "<title>make demo, in a terminal</title>"
    printf "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#1b2026\"/>\n", width, height
    print "<circle cx=\"20\" cy=\"18\" r=\"5\" fill=\"#e0655a\"/><circle cx=\"38\" cy=\"18\" r=\"5\" fill=\"#e3b341\"/><circle cx=\"56\" cy=\"18\" r=\"5\" fill=\"#57ab5a\"/>"
    print "<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, \x27DejaVu Sans Mono\x27, monospace\" font-size=\"13\" fill=\"#c9d1d9\" xml:space=\"preserve\">"
    for (i = 1; i <= NR; i++) {
      text = lines[i]; colour = ""
      if (text ~ /^\$ /) colour = "#7ee787"
      else if (text ~ /^ *\.\.\.$/) colour = "#6e7681"
      else if (text ~ /^  ! /) colour = "#e3b341"
      else if (text ~ /^[A-Za-z].*(in USD|: pushed .*)$/ || text ~ /^  (All|Orders that|Gross|Net|The shop)/) colour = "#ffffff"
      if (text == "") continue
      gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text)
      printf "<text x=\"%d\" y=\"%d\"%s>%s</text>\n", left, top + (i - 1) * high, colour == "" ? "" : " fill=\"" colour "\"", text
    }
    print "</g>\n</svg>"
  }'
