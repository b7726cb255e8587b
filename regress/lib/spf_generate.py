"""Cases of SPF that nobody thought of: zones, records and questions out of a
random generator, the same each time for the same seed.

SPDX-License-Identifier: ISC
"""
import random

V4 = ["192.0.2.1", "192.0.2.2", "192.0.2.130", "198.51.100.7"]
V6 = ["2001:db8::1", "2001:db8:1::2", "2001:db8:ffff::3"]
HOSTS = [f"h{i}.t.test" for i in range(6)]
DOMAINS = [f"d{i}.t.test" for i in range(8)]
MISSING = ["gone1.t.test", "gone2.t.test", "gone3.t.test"]
MACROS = ["%{d}", "%{d2}", "%{o}", "%{s}", "%{l}", "%{l1r-}", "%{lr-}",
          "%{i}", "%{ir}", "%{v}", "%{h}", "%{p}", "%{dr}", "%{d1r}",
          "%{L}", "%{S}", "%{H}", "%{s-.}", "%%", "%_", "%-", "%{l2r+-}"]
BAD_MACROS = ["%", "%{", "%{}", "%{z}", "%(d)", "%{d0}", "%{c}", "%{dx}",
              "%{t}.x", "%{d.r}"]
BAD_TERMS = ["moo", "all:x", "all/8", "a:", "a/33", "a/024", "a//129",
             "a/24/64", "mx:", "mx/", "ptr/24", "ptr:", "include",
             "include:", "exists", "exists:", "ip4", "ip4:", "ip4:1.2.3",
             "ip4:1.2.3.4/33", "ip4:1.2.3.4//24", "ip4:01.2.3.4", "ip6:",
             "ip6:1.2.3.4", "ip6:::1/129", "ip6:2001:db8:::1", "redirect=",
             "redirect=x", "exp=", "exp=x", "-redirect=d0.t.test", "=all",
             "1x=y", "a:x", "a:d0.t.test:25", "a:d0.t.-test", "a:d0.123",
             "a,", "+", "--all", "ip4:h0.t.test", "a:192.0.2.1", "ip4:::1",
             "include:d0.t.test/24", "all.", "moo=%", "moo=%{z}"]
SENDERS = ["", "user", "strong-bad", "a.b", "x+tag", "o'k", "Up.Per-Case"]
HELOS = ["mail.t.test", "h0.t.test", "h3.t.test", "single", "[192.0.2.1]",
         "d1.t.test", "gone1.t.test", "a-b.c.t.test"]


def reverse(ip):
    if ":" not in ip:
        return ".".join(ip.split(".")[::-1]) + ".in-addr.arpa"
    import ipaddress
    return ".".join(ipaddress.ip_address(ip).exploded.replace(":", "")[::-1]) \
        + ".ip6.arpa"


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def maybe(self, chance):
        return self.r.random() < chance

    def target(self):
        """A domain-spec, with macros or without."""
        pick = self.r.random()
        if pick < 0.6:
            return self.r.choice(DOMAINS + HOSTS)
        if pick < 0.72:
            return self.r.choice(MISSING)
        if pick < 0.76:
            return self.r.choice(["x..t.test", "a" * 64 + ".t.test",
                                  "h0.t.test.", "H1.T.Test",
                                  "b:c/d.t.test", "h_0.t.test"])
        spec = self.r.choice(MACROS)
        if self.maybe(0.3):
            spec += self.r.choice([".", "-", ""]) + self.r.choice(MACROS)
        if self.maybe(0.06):
            spec += self.r.choice(BAD_MACROS)
        return spec + self.r.choice([".t.test", ".t.test.", "", ".d0.t.test"])

    def cidr(self):
        four = self.r.choice(["", "", "/32", "/24", "/30", "/25", "/0"])
        return four + self.r.choice(["", "", "//64", "//128", "//32", "//0"])

    def mechanism(self):
        kind = self.r.choices(["a", "mx", "ptr", "include", "exists", "ip4",
                               "ip6", "all"], [6, 5, 3, 5, 4, 4, 3, 1])[0]
        if self.maybe(0.05):
            kind = kind.upper()
        low = kind.lower()
        if low in ("a", "mx"):
            kind += (":" + self.target() if self.maybe(0.7) else "") + \
                (self.cidr() if self.maybe(0.4) else "")
        elif low == "ptr":
            kind += ":" + self.target() if self.maybe(0.6) else ""
        elif low == "include":
            # To those behind it, as a rule: loops are rare.
            kind += ":" + (self.r.choice(DOMAINS) if self.maybe(0.85)
                           else self.target())
        elif low == "exists":
            kind += ":" + self.target()
        elif low == "ip4":
            kind += ":" + self.r.choice(V4) + self.r.choice(
                ["", "/24", "/25", "/31", "/8", "/0"])
        elif low == "ip6":
            kind += ":" + self.r.choice(V6) + self.r.choice(
                ["", "/64", "/48", "/128", "/0"])
        return self.r.choice(["", "", "+", "-", "~", "?"]) + kind

    def record(self):
        terms = [self.mechanism() for _ in range(self.r.choice(
            [0, 1, 1, 2, 2, 3, 4, 5, 8, 12]))]
        if self.maybe(0.55):
            terms.append(self.r.choice("-~?+") + "all")
        if self.maybe(0.25):
            terms.insert(self.r.randrange(len(terms) + 1),
                         "redirect=" + self.r.choice(DOMAINS + MISSING))
        if self.maybe(0.5):
            terms.insert(self.r.randrange(len(terms) + 1), "exp=" +
                         self.r.choice(["e0.t.test", "e1.t.test", "e2.t.test",
                                        "e3.t.test", "e4.t.test",
                                        "%{d}", "gone1.t.test"]))
        if self.maybe(0.1):
            terms.insert(self.r.randrange(len(terms) + 1),
                         self.r.choice(["moo=cow", "x.y-z_9=%{d}", "def=",
                                        "a=b", "op=x"]))
        if self.maybe(0.08):
            terms.insert(self.r.randrange(len(terms) + 1),
                         self.r.choice(BAD_TERMS))
        space = "  " if self.maybe(0.05) else " "
        version = self.r.choice(["v=spf1"] * 20 + ["V=SPF1"])
        return space.join([version] + terms) + \
            (" " if self.maybe(0.05) else "")

    def zone(self):
        z = {}
        for name in HOSTS:
            rows = z.setdefault(name, [])
            if self.maybe(0.08):
                rows.append(("TIMEOUT",))
                continue
            if self.maybe(0.1):
                rows.append(("CNAME", self.r.choice(HOSTS + MISSING)))
                continue
            rows += [("A", ip) for ip in
                     self.r.sample(V4, self.r.choice([0, 1, 1, 2]))]
            rows += [("AAAA", ip) for ip in
                     self.r.sample(V6, self.r.choice([0, 0, 1, 1]))]
        for name in DOMAINS:
            rows = z.setdefault(name, [])
            if self.maybe(0.04):
                rows.append(("TIMEOUT",))
            if self.maybe(0.93):
                rows.append(("TXT", [self.record().encode("latin-1")]))
            if self.maybe(0.03):
                rows.append(("TXT", [self.record().encode("latin-1")]))
            if self.maybe(0.15):
                rows.append(("TXT", [b"something ", b"else"]))
            if self.maybe(0.5):
                rows.append(("A", self.r.choice(V4)))
            if self.maybe(0.3):
                rows.append(("AAAA", self.r.choice(V6)))
            hosts = self.r.sample(HOSTS + MISSING[:1],
                                  self.r.choice([0, 0, 1, 1, 2, 3]))
            rows += [("MX", (10 * i, h)) for i, h in enumerate(hosts)]
            if self.maybe(0.02):
                rows += [("MX", (i, f"m{i}.t.test")) for i in range(11)]
        for i, text in enumerate([b"%{s} may not send from %{c}. See %{H}.",
                                  b"No: %{i} %{v} %{d} %{p} 100%% %_%-",
                                  b"bad %{x}", b"non-ascii \xc3\xa4",
                                  b"%{R} is not %{h}"]):
            z[f"e{i}.t.test"] = [("TXT", [text])]
        for ip in V4 + V6:
            if self.maybe(0.06):
                z[reverse(ip)] = [("TIMEOUT",)]
            elif self.maybe(0.75):
                names = self.r.sample(HOSTS + DOMAINS,
                                      self.r.choice([1, 1, 2, 3]))
                z[reverse(ip)] = [("PTR", n) for n in names]
        for name in ("192.0.2.1.t.test", "strong-bad.t.test",
                     "bad.strong.t.test", "1.2.0.192.t.test",
                     "user.t.test", "x+tag.t.test", "in-addr.t.test",
                     "b:c/d.t.test", "d1.t.test.t.test"):
            if self.maybe(0.5):
                z[name] = [("A", "127.0.0.2")]
        return z

    def question(self):
        ip = self.r.choice(V4 + V6 + ["::ffff:192.0.2.1"])
        local = self.r.choice(SENDERS)
        domain = self.r.choice(DOMAINS + DOMAINS + ["gone1.t.test"])
        sender = "" if self.maybe(0.08) else f"{local}@{domain}"
        return ip, self.r.choice(HELOS), sender


def cases(seed, zones, each):
    """(zone, questions) for so many zones."""
    g = Generator(seed)
    return [(g.zone(), [g.question() for _ in range(each)])
            for _ in range(zones)]
