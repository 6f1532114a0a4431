package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Problem is one thing that is wrong with a configuration file.
type Problem struct {
	File   string
	Line   int    // 0 where the key is not in the file
	Key    string // path, such as stores[0].schedule; empty for the file as a whole
	What   string
	Remedy string
}

// Error names the place, what is wrong there, and what to do.
func (p *Problem) Error() string {
	place := p.File
	if p.Line > 0 {
		place = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	if p.Key != "" {
		place += ": " + p.Key
	}
	return fmt.Sprintf("%s: %s; %s", place, p.What, p.Remedy)
}

// reader collects the problems of one file.
type reader struct {
	file     string
	getenv   func(string) string
	lines    map[string]int
	inline   string // key of the first secret that stands in the file itself
	problems []error
}

func (r *reader) add(key, what, remedy string) {
	r.problems = append(r.problems, &Problem{File: r.file, Line: r.line(key), Key: key, What: what, Remedy: remedy})
}

// line returns the line of a key, or of the closest table around it.
func (r *reader) line(key string) int {
	for key = strings.ToLower(key); ; {
		if line, ok := r.lines[key]; ok {
			return line
		}
		cut := strings.LastIndexAny(key, ".[")
		if cut < 0 {
			return 0
		}
		key = key[:cut]
	}
}

func syntaxProblem(path string, err error) error {
	problem := &Problem{File: path, What: "not valid TOML", Remedy: "texts stand in quotes, every key once, tables in [brackets]"}
	var broken *toml.DecodeError
	if errors.As(err, &broken) {
		problem.Line, _ = broken.Position()
		problem.Key = strings.Join(broken.Key(), ".")
		// The parser's own words may quote what stands there, which may be a secret.
		if strings.Contains(broken.Error(), "already") {
			problem.What = "a key or table that stands there already"
		}
	}
	return problem
}

// linesOf maps every key path, in lower case, to its line.
func linesOf(text []byte) map[string]int {
	lines := map[string]int{}
	lengths := map[string]int{} // of the lists of tables
	var parser unstable.Parser
	parser.Reset(text)
	table := ""
	for parser.NextExpression() {
		expression := parser.Expression()
		path := table
		if expression.Kind != unstable.KeyValue {
			path = ""
		}
		line := 0
		for keys := expression.Key(); keys.Next(); {
			node := keys.Node()
			if line == 0 {
				line = parser.Shape(node.Raw).Start.Line
			}
			path = joinKey(path, strings.ToLower(string(node.Data)))
			if expression.Kind == unstable.ArrayTable && keys.IsLast() {
				lengths[path]++
			}
			if length := lengths[path]; length > 0 {
				path = fmt.Sprintf("%s[%d]", path, length-1)
			}
		}
		if expression.Kind != unstable.KeyValue {
			table = path
		}
		if _, seen := lines[path]; !seen {
			lines[path] = line
		}
	}
	return lines
}

func joinKey(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func lastKey(path string) string { return path[strings.LastIndex(path, ".")+1:] }
