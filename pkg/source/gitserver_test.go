package source

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// needs skips a test without programs, unless TEST_REQUIRE_GIT says that they must be there.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("TEST_REQUIRE_GIT") != "" {
			t.Fatalf("%s is not installed", p)
		}
		t.Skipf("%s is not installed", p)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// serve starts a server, and waits until it takes connections.
func serve(t *testing.T, network, address, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	said := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was ended
	})
	const limit = 10 * time.Second
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial(network, address)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Since(begun) > limit {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("%s: %v: %s", program, err, said)
		}
	}
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody listens
	return l.Addr().String()
}

func file(t *testing.T, path, text string) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestGitSSH reads from a real server over ssh: with its key known and not, and with a key that it lets in and not.
func TestGitSSH(t *testing.T) {
	needs(t, "sshd", "git", "ssh", "ssh-keygen")
	f := newForge(t)
	server, mine, other := f.key("server"), f.key("mine"), f.key("other")
	at := free(t)
	_, port, _ := net.SplitHostPort(at)
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	config := file(t, filepath.Join(f.keys, "sshd_config"), fmt.Sprintf("ListenAddress %s\nHostKey %s\nPidFile none\nUsePAM no\n"+
		"StrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nAuthorizedKeysFile %s.pub\n", at, server, mine))
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, "tcp", at, sshd, "-D", "-e", "-f", config)
	reach := func(known, key string) *Git {
		g := f.source("hosts")
		g.URL, g.KeyFile = "ssh://root@127.0.0.1:"+port+f.dir, key
		g.KnownHosts = file(t, filepath.Join(f.keys, "known"), "[127.0.0.1]:"+port+" "+content(t, known+".pub"))
		return g
	}
	f.reads(reach(server, mine), f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a")
	_ = f.refuses(reach(other, mine), "Host key verification failed")
	_ = f.refuses(reach(server, other), "Permission denied")
	g := reach(server, mine)
	f.reads(g, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a")
	f.reads(g, f.commit("hosts/a.yaml", "name: a2"), "hosts/a.yaml=name: a2")
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used); err != nil {
		t.Fatal(err)
	}
	t.Logf("the largest process took %d KiB", used.Maxrss)
}

// certificate makes a certificate for 127.0.0.1, signed by itself.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	cert = file(t, filepath.Join(dir, "cert.pem"), text("CERTIFICATE", signed))
	if err := os.Chmod(cert, 0o644); err != nil {
		t.Fatal(err)
	}
	return cert, file(t, filepath.Join(dir, "key.pem"), text("PRIVATE KEY", der))
}

// TestGitHTTPS reads from a real server over https: with its certificate known and not, and with a token that it lets in
// and not.
func TestGitHTTPS(t *testing.T) {
	const backend = "/usr/lib/git-core/git-http-backend"
	needs(t, "nginx", "fcgiwrap", "git", backend)
	f := newForge(t)
	dir := t.TempDir()
	cert, key := certificate(t, f.keys)
	at, socket := free(t), filepath.Join(dir, "cgi")
	users := file(t, filepath.Join(f.keys, "users"), "x-access-token:{PLAIN}geheim\n")
	config := file(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(`daemon off; user root; pid %[1]s/pid; error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; fastcgi_temp_path %[1]s/cgitmp; proxy_temp_path %[1]s/proxy;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]s ssl; ssl_certificate %[3]s; ssl_certificate_key %[4]s;
		auth_basic plumb; auth_basic_user_file %[5]s;
		location /elsewhere/ { return 302 https://%[2]s/$request_uri; }
		location / {
			fastcgi_param SCRIPT_FILENAME %[6]s; fastcgi_param GIT_PROJECT_ROOT %[7]s; fastcgi_param GIT_HTTP_EXPORT_ALL 1;
			fastcgi_param PATH_INFO $uri; fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;
			fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
			fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
			fastcgi_pass unix:%[8]s;
		}
	}
}
`, dir, at, cert, key, users, backend, f.dir, socket))
	serve(t, "unix", socket, "fcgiwrap", "-s", "unix:"+socket)
	serve(t, "tcp", at, "nginx", "-c", config)
	reach := func(token, path string) *Git {
		g := f.source("hosts")
		g.URL, g.TokenFile = "https://"+at+path, file(t, filepath.Join(f.keys, "token"), token+"\n")
		return g
	}
	_ = f.refuses(reach("geheim", "/.git"), "certificate")
	t.Setenv("GIT_SSL_CAINFO", cert)
	g := reach("geheim", "/.git")
	f.reads(g, f.git("rev-parse", "HEAD"), "hosts/a.yaml=name: a")
	f.reads(g, f.commit("hosts/a.yaml", "name: a2"), "hosts/a.yaml=name: a2")
	_ = f.refuses(reach("falsch", "/.git"), "git ls-remote")
	_ = f.refuses(reach("geheim", "/elsewhere/.git"), "git ls-remote")
}
