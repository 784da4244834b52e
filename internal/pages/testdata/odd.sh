#!/bin/sh
# Makes odd.bundle, a history of what real repositories hold: merges with and
# without conflicts, of unrelated histories and of three; signed commits, an
# encoding, odd zones; modes, links, a submodule; renames; tags. Run it here, with
# ssh-keygen (openssh-client). The ids are the same each time up to the first
# signature, whose key is made anew: odd.signers has its public half, as
# ssh-keygen(1) wants it of allowed signers.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME='Grace Hopper' GIT_AUTHOR_EMAIL=grace@example.org
export GIT_COMMITTER_NAME='Linus' GIT_COMMITTER_EMAIL=linus@example.org
at=1500000000
tick() { at=$((at + 3600)); export GIT_AUTHOR_DATE="$at ${1:-+0200}" GIT_COMMITTER_DATE="$at -0330"; }
here=$(pwd)
cd "$work"
ssh-keygen -q -t ed25519 -N '' -C 'made for odd.bundle' -f key
printf 'linus@example.org namespaces="git" %s\n' "$(cut -d' ' -f1,2 key.pub)" > "$here/odd.signers"
git init -q -b trunk wiki
cd wiki
git config gpg.format ssh; git config user.signingkey "$work/key"
commit() { tick; git add -A; git commit -q -m "$1"; }

printf '# Home\n\n[[Guide]] and [[Notes/First|first]]\n' > Home.md
mkdir Notes; printf 'one\ntwo\nthree\n' > Notes/First.md
printf '*.tmp\n' > .gitignore
commit 'The first pages'
tick +1345; git commit -q --allow-empty -m 'Nothing at all'
mkdir 'a b'; printf 'x\n' > 'a b/Ünïcode – name.md'; printf '\000\001\002' > 'Notes/pic.png'
commit 'Names'
git mv Notes/First.md Guide.md; printf 'one\ntwo\nthree\nfour\n' > Guide.md
commit 'Rename with a change'

git checkout -q -b side
printf 'zero\none\ntwo\nthree\nfour\n' > Guide.md; commit 'On the side'
printf 'side\n' > Side.md; commit 'More on the side'
git checkout -q trunk
printf 'one\ntwo\nthree\nfour\nfive\n' > Guide.md; commit 'On the trunk'
tick; git merge -q -S --no-ff -m 'Merge branch side' side

git checkout -q -b left; printf 'l\n' > Left.md; commit 'Left'
git checkout -q -b right trunk; printf 'r\n' > Right.md; commit 'Right'
git checkout -q trunk
tick; git merge -q --no-ff -m 'Three at once' left right

git checkout -q --orphan elsewhere; git rm -rfq .
printf 'from another repository\n' > Other.md; commit 'Another root'
git checkout -q trunk
tick; git merge -q --allow-unrelated-histories -m 'Join another history' elsewhere

printf '#!/bin/sh\n' > run.sh; chmod +x run.sh; ln -s Home.md Link.md; ln -s /etc/passwd passwd.txt
git update-index --add --cacheinfo 160000,0123456789012345678901234567890123456789,module
tick; git add run.sh Link.md passwd.txt; git commit -q -m 'Modes, links and a submodule'
rm Link.md; printf 'now a page\n' > Link.md; git add Link.md; tick; git commit -q -m 'A link becomes a page'
tick; git rm -q --cached Side.md; rm Side.md; git commit -q -m 'Delete'

# A tree with a mode that git writes no more and a folder without files, below a
# commit with a signature and an encoding.
tree=$(git ls-tree HEAD | sed 's/^100644 \(blob [0-9a-f]*.Right.md\)$/100664 \1/' | { cat; printf '040000 tree %s\tempty folder\n' "$(git mktree < /dev/null)"; } | git mktree)
joerg=$(printf 'J\366rg')
signed=$(printf 'Gr\374\337e\n' | GIT_AUTHOR_NAME=$joerg GIT_AUTHOR_EMAIL=joerg@example.org GIT_AUTHOR_DATE='1600000000 -1200' \
  GIT_COMMITTER_NAME=$joerg GIT_COMMITTER_EMAIL=joerg@example.org GIT_COMMITTER_DATE='1600000000 +1400' \
  git -c i18n.commitEncoding=ISO-8859-1 commit-tree -S -p HEAD "$tree")
git update-ref refs/heads/trunk "$signed"
git reset -q --hard

tick; git tag -s -m 'One' v1.0 HEAD~3
git tag light HEAD~1
tick; git tag -a -m 'Of the side' side-done side
git checkout -q -b unmerged; printf 'u\n' > Unmerged.md; commit 'Never merged'; git tag lost
git checkout -q trunk
printf 'the end\n' >> Home.md; commit 'The end'
git bundle create -q "$here/odd.bundle" --all HEAD
git rev-parse HEAD
