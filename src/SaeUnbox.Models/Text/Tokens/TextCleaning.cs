namespace SaeUnbox.Models;

/// <summary>What a tokenizer does with text before it splits it into words.</summary>
public enum TextCleaning
{
    /// <summary>Repairs wrong encodings and typography as the package ftfy does. The default, as the models were trained.</summary>
    Ftfy,

    /// <summary>BERT's basic cleaning, which the reference falls back to where ftfy is not installed.</summary>
    Basic,
}
