using System.Text;

namespace SaeUnbox.Models;

/// <summary>Cleans a prompt, or a part of one between special tokens.</summary>
internal static class PromptText
{
    /// <summary>Returns clean text in lower case, with single spaces.</summary>
    public static string Clean(string text, TextCleaning cleaning) => cleaning == TextCleaning.Ftfy
        ? LetterCase.ToLower(JoinWords(TextRepair.Fix(text)))
        : LetterCase.ToLower(JoinWords(CanonicalForm.Compose(KeepVisible(text))));

    private static string JoinWords(string text)
    {
        var joined = new StringBuilder(text.Length);
        var pending = false;
        foreach (var c in text)
        {
            if (CodePoints.IsSpace(c))
            {
                pending = joined.Length > 0;
                continue;
            }
            if (pending)
                joined.Append(' ');
            pending = false;
            joined.Append(c);
        }
        return joined.ToString();
    }

    // As in BERT's basic tokenizer: removes control characters and puts spaces around ideographs.
    private static string KeepVisible(string text)
    {
        var kept = new StringBuilder(text.Length);
        for (int i = 0, length; i < text.Length; i += length)
        {
            var codePoint = CodePoints.At(text, i, out length);
            if (codePoint is '\t' or '\n' or '\r' || CodePoints.IsSeparator(codePoint))
                kept.Append(' ');
            else if (codePoint == 0xFFFD || CodePoints.IsOther(codePoint))
                continue;
            else if (IsIdeograph(codePoint))
                kept.Append(' ').AppendCodePoint(codePoint).Append(' ');
            else
                kept.AppendCodePoint(codePoint);
        }
        return kept.ToString();
    }

    private static bool IsIdeograph(int codePoint) => codePoint is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF)
        or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}

/// <summary>How a tokenizer cleans text before it splits it into words.</summary>
public enum TextCleaning
{
    /// <summary>Repairs wrong encodings and typography like the Python package ftfy, as in training. This is the default.</summary>
    Ftfy,

    /// <summary>The basic cleaning of BERT, which transformers uses if ftfy is not installed.</summary>
    Basic,
}
