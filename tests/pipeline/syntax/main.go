// Reads a configuration of Grafana Alloy with Grafana's own parser and prints it as JSON: every block with its
// arguments as values, references as {"ref": "component.label.export"}.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/grafana/alloy/syntax/ast"
	"github.com/grafana/alloy/syntax/parser"
	"github.com/grafana/alloy/syntax/printer"
	"github.com/grafana/alloy/syntax/vm"
)

type block struct {
	Name      string         `json:"name"`
	Label     string         `json:"label"`
	Arguments map[string]any `json:"arguments"`
	Blocks    []block        `json:"blocks"`
}

func main() {
	path := os.Args[1]
	text, err := os.ReadFile(path)
	fail(err)
	file, err := parser.ParseFile(path, text)
	fail(err)
	top, err := body(file.Body)
	fail(err)
	var formatted bytes.Buffer
	fail(printer.Fprint(&formatted, file))
	out := map[string]any{"blocks": top.Blocks, "formatted": strings.TrimSpace(formatted.String()) + "\n"}
	fail(json.NewEncoder(os.Stdout).Encode(out))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func body(statements ast.Body) (block, error) {
	found := block{Arguments: map[string]any{}, Blocks: []block{}}
	for _, statement := range statements {
		switch each := statement.(type) {
		case *ast.AttributeStmt:
			value, err := evaluate(each.Value)
			if err != nil {
				return found, fmt.Errorf("%s: %w", each.Name.Name, err)
			}
			found.Arguments[each.Name.Name] = value
		case *ast.BlockStmt:
			inner, err := body(each.Body)
			if err != nil {
				return found, fmt.Errorf("%s %q: %w", strings.Join(each.Name, "."), each.Label, err)
			}
			inner.Name, inner.Label = strings.Join(each.Name, "."), each.Label
			found.Blocks = append(found.Blocks, inner)
		}
	}
	return found, nil
}

// What Alloy's runtime knows beyond the module's own library, as far as it is used.
var scope = &vm.Scope{Variables: map[string]any{
	"sys":      map[string]any{"env": os.Getenv},
	"coalesce": coalesce,
}}

func coalesce(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

func evaluate(expression ast.Expr) (any, error) {
	if name := reference(expression); strings.Count(name, ".") > 2 || strings.HasPrefix(name, "prometheus.") {
		return map[string]string{"ref": name}, nil
	}
	if list, ok := expression.(*ast.ArrayExpr); ok {
		values := []any{}
		for _, element := range list.Elements {
			value, err := evaluate(element)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		return values, nil
	}
	var value any
	err := vm.New(expression).Evaluate(scope, &value)
	return value, err
}

// reference is the dotted name that an expression is, "" if it is something else.
func reference(expression ast.Expr) string {
	switch each := expression.(type) {
	case *ast.IdentifierExpr:
		return each.Ident.Name
	case *ast.AccessExpr:
		if inner := reference(each.Value); inner != "" {
			return inner + "." + each.Name.Name
		}
	}
	return ""
}
