// Follow a published log with Go's own transparency-log library: the off-the-shelf client.
//
// Usage: follow FOLDER VKEY [OLD_CHECKPOINT]. Every entry is proved against the signed checkpoint through the published
// tiles; with an older checkpoint, also that the tree has only grown since.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// tiles reads tiles as C2SP names them: Go's own names carry the height, which is always 8.
type tiles struct{ folder string }

func (t tiles) Height() int                           { return height }
func (t tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		name := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		data, err := os.ReadFile(filepath.Join(t.folder, name))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "follow:", err)
		os.Exit(1)
	}
}

func opened(file, vkey string) tlog.Tree {
	data, err := os.ReadFile(file)
	must(err)
	verifier, err := note.NewVerifier(vkey)
	must(err)
	signed, err := note.Open(data, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(signed.Text, "\n")
	if lines[0] != verifier.Name() {
		must(fmt.Errorf("origin %q", lines[0]))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

// entries reads the entry bundles up to a size.
func entries(folder string, size int64) [][]byte {
	var all [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := size - n*256
		if width > 256 {
			width = 256
		}
		path := tlog.Tile{H: height, L: 0, N: n, W: int(width)}.Path()
		data, err := os.ReadFile(filepath.Join(folder, strings.Replace(path, "tile/8/0/", "tile/entries/", 1)))
		must(err)
		for len(data) > 0 {
			length := int(binary.BigEndian.Uint16(data))
			all = append(all, data[2:2+length])
			data = data[2+length:]
		}
	}
	return all
}

// cosigned verifies a witness's line with nothing but the standard library.
func cosigned(file, vkey string) uint64 {
	data, err := os.ReadFile(file)
	must(err)
	parts := strings.SplitN(vkey, "+", 3)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	must(err)
	text, signatures, _ := strings.Cut(string(data), "\n\n")
	for _, line := range strings.Split(signatures, "\n") {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[1] != parts[0] {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(fields[2])
		must(err)
		when := binary.BigEndian.Uint64(raw[4:12])
		message := fmt.Sprintf("cosignature/v1\ntime %d\n%s\n", when, text)
		if key[0] == 4 && fmt.Sprintf("%x", raw[:4]) == parts[1] && ed25519.Verify(key[1:], []byte(message), raw[12:]) {
			return when
		}
	}
	must(fmt.Errorf("not cosigned by %s", parts[0]))
	return 0
}

func main() {
	folder, vkey, witness := os.Args[1], os.Args[2], os.Args[3]
	checkpoint := filepath.Join(folder, "checkpoint")
	tree := opened(checkpoint, vkey)
	reader := tlog.TileHashReader(tree, tiles{folder})
	all := entries(folder, tree.N)
	if int64(len(all)) != tree.N {
		must(fmt.Errorf("%d entries in a tree of %d", len(all), tree.N))
	}
	for n, entry := range all {
		proof, err := tlog.ProveRecord(tree.N, int64(n), reader)
		must(err)
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, int64(n), tlog.RecordHash(entry)))
	}
	when := cosigned(checkpoint, witness)
	if len(os.Args) > 4 {
		old := opened(os.Args[4], vkey)
		proof, err := tlog.ProveTree(tree.N, old.N, reader)
		must(err)
		must(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
	}
	fmt.Printf("%d entries proved, cosigned at %d\n", tree.N, when)
}
