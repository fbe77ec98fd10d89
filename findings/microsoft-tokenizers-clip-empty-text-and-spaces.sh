#!/usr/bin/env bash
# Microsoft.ML.Tokenizers 2.0.1: a BpeTokenizer set up as CLIP's (byte level, words end in </w>, start and end tokens) differs in two ways.
# The empty text gives no token at all. One would expect the start and end tokens, as from OpenAI's CLIP and from the Rust tokenizers
# library, since BpeOptions says that they are added to the text; a blank gets both. But the code returns before it adds them. The empty
# text is common: Stable Diffusion 1 is guided away from it wherever there is no negative prompt.
# Decode joins the words without spaces. One would expect a space for each </w>, as from OpenAI's CLIP and from this tokenizer with
# ByteLevel off; with ByteLevel on, Decode drops the suffix and puts nothing in its place.
# Seen, for the tokens of each text and the text decoded from them:
#   byte level off: "a cat at sea" is <start> a</w> c at</w> at</w> s e a</w> <end> and back "a cat at sea"
#   byte level off: " " is <start> <end> and back ""
#   byte level off: "" is nothing and back ""
#   byte level on: "a cat at sea" is <start> a</w> c at</w> at</w> s e a</w> <end> and back "acatatsea"
#   byte level on: " " is <start> <end> and back ""
#   byte level on: "" is nothing and back ""
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Microsoft.ML.Tokenizers" Version="[2.0.1]" />
  </ItemGroup>
</Project>
X
cat >Program.cs <<'X'
using Microsoft.ML.Tokenizers;
using System.Text.RegularExpressions;
// As CLIP's, with letters and one merge instead of the 49408 tokens; start and end have the two largest ids, as there.
const string Start = "<start>", End = "<end>";
var letters = "abcdefghijklmnopqrstuvwxyz".Select(letter => $"{letter}").ToList();
string[] tokens = [.. letters, .. letters.Select(letter => letter + "</w>"), "at</w>", Start, End];
var special = new Dictionary<string, int> { [Start] = tokens.Length - 2, [End] = tokens.Length - 1 };
var words = new Regex(@"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+");
foreach (var byteLevel in new[] { false, true })
{
    var tokenizer = BpeTokenizer.Create(new BpeOptions(tokens.Select((token, id) => KeyValuePair.Create(token, id)))
    {
        Merges = ["a t</w>"],
        SpecialTokens = special,
        PreTokenizer = new RegexPreTokenizer(words, special),
        Normalizer = new LowerCaseNormalizer(),
        EndOfWordSuffix = "</w>",
        ByteLevel = byteLevel,
        BeginningOfSentenceToken = Start,
        EndOfSentenceToken = End,
    });
    foreach (var text in new[] { "a cat at sea", " ", "" })
    {
        var ids = tokenizer.EncodeToIds(text);
        var shown = ids.Count == 0 ? "nothing" : string.Join(' ', ids.Select(id => tokens[id]));
        var back = tokenizer.Decode(ids, considerSpecialTokens: false);
        Console.WriteLine($"byte level {(byteLevel ? "on" : "off")}: \"{text}\" is {shown} and back \"{back}\"");
    }
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
byte level off: "a cat at sea" is <start> a</w> c at</w> at</w> s e a</w> <end> and back "a cat at sea"
byte level off: " " is <start> <end> and back ""
byte level off: "" is nothing and back ""
byte level on: "a cat at sea" is <start> a</w> c at</w> at</w> s e a</w> <end> and back "acatatsea"
byte level on: " " is <start> <end> and back ""
byte level on: "" is nothing and back ""
X
