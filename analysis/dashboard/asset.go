package dashboard

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"
)

// assets are the files that come with the pages: style, script, pictures.
//
//go:embed assets
var assetFiles embed.FS

// assets serves the files that come with the pages. They may be kept: their address changes with the version.
func (s *Server) assets() http.Handler {
	files := http.StripPrefix("/assets/", http.FileServerFS(must(fs.Sub(assetFiles, "assets"))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") { // a folder would list what is in it
			s.lost(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=3600")
		files.ServeHTTP(w, r)
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the folder is in the binary
	}
	return v
}
