package shopify

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// asked lists what a document asks of its records, as paths from the record on. How a list is written is left out: edges
// in bulk documents, nodes elsewhere. A document that asks for records of several types is taken for the type named.
func asked(t *testing.T, document, typ string) []string {
	t.Helper()
	parsed, err := parser.ParseQuery(&ast.Source{Input: text(document)})
	require.NoError(t, err)
	var paths []string
	var walk func(selections ast.SelectionSet, path string)
	walk = func(selections ast.SelectionSet, path string) {
		for _, selection := range selections {
			switch s := selection.(type) {
			case *ast.InlineFragment:
				if path != "" || s.TypeCondition == typ {
					walk(s.SelectionSet, path)
				}
			case *ast.FragmentSpread:
				walk(parsed.Fragments.ForName(s.Name).SelectionSet, path)
			case *ast.Field:
				switch {
				case s.Name == "pageInfo":
				case s.Name == "edges", s.Name == "node", s.Name == "nodes":
					walk(s.SelectionSet, path)
				case len(s.SelectionSet) == 0:
					paths = append(paths, path+"/"+s.Alias)
				default:
					walk(s.SelectionSet, path+"/"+s.Alias)
				}
			}
		}
	}
	root, ok := parsed.Operations[0].SelectionSet[0].(*ast.Field)
	require.True(t, ok)
	walk(root.SelectionSet, "")
	slices.Sort(paths)
	return slices.Compact(paths)
}

// TestDocumentsOfARecordAskForTheSame: a record that is read another way must have the same content, or every change of the
// way would write it anew. Bulk documents have no fragments, so the fields stand in each.
func TestDocumentsOfARecordAskForTheSame(t *testing.T) {
	for record, typ := range map[string]string{"orders": "Order", "customers": "Customer", "products": "Product"} {
		page := asked(t, record+"_page", typ)
		require.Greater(t, len(page), 8, record)
		require.Equal(t, page, asked(t, "bulk_"+record, typ), "bulk_%s", record)
		require.Equal(t, page, asked(t, record+"_by_id", typ), "%s_by_id", record)
	}
}
